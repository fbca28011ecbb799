"""What API tokens are limited to: which scopes one may get, and which role it has with them.

Which scope a request needs is said in one place, `web/scopes.py`.
"""

from collections.abc import Iterable

from mediamill.core.access import Principal, Scope
from mediamill.core.errors import Forbidden, InvalidInput
from mediamill.store.repositories.users import Role


def scopes_of(given: Iterable[str] | None) -> frozenset[str] | None:
    """Return stored scopes as a caller has them; those that are not known any more give nothing."""
    return None if given is None else frozenset(given) & frozenset(Scope)


def role_with(role: Role, scopes: frozenset[str] | None) -> Role:
    """Return the role that a token has whose user has another: no more than its scopes say."""
    if scopes is None or (role is Role.ADMIN and Scope.ADMIN in scopes):
        return role
    if role is not Role.USER and Scope.ANALYTICS_READ in scopes:
        return Role.ANALYST
    return Role.USER


def granted(principal: Principal, wanted: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the scopes of a token that a caller makes, in order; None for all that they may.

    Raises `InvalidInput` for what is no scope, `Forbidden` for more than the caller has: one that
    a limited token makes is limited as well.
    """
    if wanted is None:
        return None if principal.scopes is None else tuple(sorted(principal.scopes))
    asked = sorted(set(wanted))
    if not asked:
        raise InvalidInput.at("scopes", "Name at least one, or leave them out.")
    for scope in asked:
        if scope not in frozenset(Scope):
            known = ", ".join(Scope)
            raise InvalidInput.at("scopes", f"{scope} is no scope. There are: {known}.")
        if not principal.within(Scope(scope)):
            lacking(scope)
    return tuple(asked)


def lacking(scope: str) -> None:
    """Raise `Forbidden` that names the scope that a token lacks."""
    raise Forbidden(
        f"This token lacks the scope {scope}: use one that has it, or a session.", scope=scope
    )
