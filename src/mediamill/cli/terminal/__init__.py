"""What all commands share: files and options as typed, how they fail, what they print."""
