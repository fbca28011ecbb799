"""Who ends processes that are too many, and is told which of them have work."""
