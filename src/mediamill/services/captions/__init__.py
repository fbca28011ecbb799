"""Captions as their owner sees them: history, search, review, exports."""
