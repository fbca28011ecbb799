"""Files as they come in, and their small pictures."""
