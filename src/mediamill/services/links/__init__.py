"""Capabilities that work without a session for a while."""
