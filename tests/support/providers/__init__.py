"""Questions to ask providers, and servers that play the vendors' parts."""
