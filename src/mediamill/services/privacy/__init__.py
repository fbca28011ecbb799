"""What is kept about somebody: told, handed over, and removed."""
