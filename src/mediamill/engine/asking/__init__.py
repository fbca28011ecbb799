"""Asking models for items of jobs: every call kept, paid from a purse, behind a shared gate."""
