"""Asking models for items of jobs."""
