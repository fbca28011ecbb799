"""Units whose items ask models."""
