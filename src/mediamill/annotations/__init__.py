"""Annotations of pictures: what they are, how they move with pixels, and the formats they come in.

Only the standard library and msgspec are imported here; NumPy inside functions that run in slots.
"""
