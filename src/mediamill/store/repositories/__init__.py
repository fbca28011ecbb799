"""One file per noun: its record, its legal states, and the reads and guarded writes on it.

Written once over the store port, so they behave the same on every backend.
"""
