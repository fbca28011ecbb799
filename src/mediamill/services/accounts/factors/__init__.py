"""The second factor: an authenticator app beside the password, and codes for when it is lost."""
