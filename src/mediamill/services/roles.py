"""Who runs the service, and who watches it.

Administrators set up providers and budgets, manage users, and see what is recorded. Analysts see
what everybody used and spent. Neither opens anybody's media.
"""

from mediamill.core.access import Principal
from mediamill.core.errors import Forbidden
from mediamill.store.repositories.users import Role


def administers(principal: Principal) -> bool:
    """Tell whether a caller runs the service."""
    return principal.role == Role.ADMIN


def analyses(principal: Principal) -> bool:
    """Tell whether a caller may see what everybody used and spent."""
    return principal.role in (Role.ANALYST, Role.ADMIN)


def require_analyst(principal: Principal) -> None:
    """Raise `Forbidden` for who is neither analyst nor administrator."""
    if not analyses(principal):
        raise Forbidden("Only analysts and administrators of this service may see this.")


def require_admin(principal: Principal) -> None:
    """Raise `Forbidden` for who is no administrator."""
    if not administers(principal):
        raise Forbidden("Only administrators of this service may do this.")
