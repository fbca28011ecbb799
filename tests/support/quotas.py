"""Limits that change while a test's service runs."""

from mediamill.app import App
from mediamill.store.repositories.allowances import Limits


def limit(mill: App, **limits: int | None) -> None:
    """Let these limits hold for all users without an allowance, and no others."""
    mill.repositories.usages.allowances.common = Limits(**limits)
