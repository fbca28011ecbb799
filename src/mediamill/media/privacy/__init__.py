"""What of a picture anybody but its owner may get: all that shows, nothing that tells of it."""
