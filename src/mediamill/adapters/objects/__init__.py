"""Buckets of other people's object stores, read and written with the caller's own credentials."""
