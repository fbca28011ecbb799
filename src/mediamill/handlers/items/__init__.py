"""A unit of items in a slot: its inputs, its steps, and what becomes of each item."""
