"""Whom operations ask, what that costs, and what may be spent on it."""
