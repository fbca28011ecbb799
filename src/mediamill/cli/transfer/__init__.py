"""Bytes on their way: sent until they are there, and put in their place whole."""
