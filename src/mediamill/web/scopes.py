"""Which scope a request needs of an API token: said here, once, for every route.

A route is told by the noun that its address begins with; reading needs `…:read`, all else
`…:write`. What is different is in `OTHERS`. A route that is in neither is open to no token that has
scopes (a test finds it), and neither are the pages, which are for people.
"""

from starlette.requests import Request

from mediamill.core.access import Principal, Scope
from mediamill.core.errors import Forbidden
from mediamill.services.accounts.scopes import lacking

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

NOUNS = {
    "files": (Scope.FILES_READ, Scope.FILES_WRITE),
    "uploads": (Scope.FILES_READ, Scope.FILES_WRITE),
    "trash": (Scope.FILES_READ, Scope.FILES_WRITE),
    "jobs": (Scope.JOBS_READ, Scope.JOBS_WRITE),
    "operations": (Scope.JOBS_READ, Scope.JOBS_WRITE),
    "templates": (Scope.JOBS_READ, Scope.JOBS_WRITE),
    "captions": (Scope.JOBS_READ, Scope.JOBS_WRITE),
    "events": (Scope.JOBS_READ, Scope.JOBS_WRITE),
    "projects": (Scope.PROJECTS_READ, Scope.PROJECTS_WRITE),
    "webhooks": (Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE),
    "me": (Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE),
    "auth": (Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE),
    "tokens": (Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE),
    "usage": (Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE),
    "spending": (Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE),
    "feedback": (Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE),
    "analytics": (Scope.ANALYTICS_READ, Scope.ADMIN),
    "admin": (Scope.ADMIN, Scope.ADMIN),
    "providers": (Scope.ADMIN, Scope.ADMIN),
    "chains": (Scope.ADMIN, Scope.ADMIN),
    "budgets": (Scope.ADMIN, Scope.ADMIN),
}
"""The scopes to read and to change, by what follows `/v1/`."""

OTHERS: dict[str, Scope | None] = {
    "GET /v1/me": None,
    "POST /v1/auth/logout": None,
    "POST /v1/files/check": Scope.FILES_READ,
    "POST /v1/files/{file_id}/link": Scope.FILES_READ,
    "POST /v1/jobs/{job_id}/link": Scope.JOBS_READ,
    "POST /v1/operations/{name}/preview": Scope.FILES_READ,
    "POST /v1/operations/{name}/check": Scope.JOBS_READ,
    "GET /v1/spending/everybody": Scope.ANALYTICS_READ,
    "GET /v1/spending/users": Scope.ANALYTICS_READ,
    "GET /v1/spending/users.csv": Scope.ANALYTICS_READ,
}
"""What its method does not tell; None: whoever shows a token may know whose it is, and end it."""


def scope_of(method: str, path: str) -> Scope | None:
    """Return the scope that a route needs, None for none; raises `KeyError` for one not known."""
    route = f"{method} {path}"
    if route in OTHERS:
        return OTHERS[route]
    reading, writing = NOUNS[noun_of(path)]
    return reading if method in READS else writing


def noun_of(path: str) -> str:
    """Return the noun that the address of a route begins with; empty for none of the API's."""
    version, _, rest = path.removeprefix("/").partition("/")
    return rest.partition("/")[0].partition(".")[0] if version == "v1" else ""


def route_of(request: Request) -> str:
    """Return the address that the route of a request has, as `/v1/files/{file_id}`."""
    path: str = getattr(request.scope.get("route"), "path", "")
    return path


def require_scope(request: Request, principal: Principal) -> None:
    """Raise `Forbidden` where a token is shown whose scopes do not include what is asked for."""
    if principal.scopes is None:
        return
    try:
        scope = scope_of(request.method, route_of(request))
    except KeyError:
        raise Forbidden("A token that has scopes opens nothing but the API.") from None
    if scope is not None and not principal.within(scope):
        lacking(scope)
