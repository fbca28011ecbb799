"""Who may set up providers and budgets, and see what everybody spends: administrators."""

from mediamill.core.access import Principal
from mediamill.core.errors import Forbidden
from mediamill.store.repositories.users import Role


def administers(principal: Principal) -> bool:
    """Tell whether a caller runs the service."""
    return principal.role == Role.ADMIN


def require_admin(principal: Principal) -> None:
    """Raise `Forbidden` for who is no administrator."""
    if not administers(principal):
        raise Forbidden("Only administrators of this service may do this.")
