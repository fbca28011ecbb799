"""What records look like outside: response models, and how each is made of its record."""
