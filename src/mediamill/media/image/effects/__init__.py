"""What becomes of pixels that stay where they are."""
