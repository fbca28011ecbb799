"""Requests to addresses that users name: checked, pinned, bounded. Imports and webhooks use it."""
