"""Annotations as callers see them: drawn, listed, imported, exported; and classes."""
