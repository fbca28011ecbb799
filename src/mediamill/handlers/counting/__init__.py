"""Handlers of what was counted."""
