"""What each user may have and do, and how much of it is used."""
