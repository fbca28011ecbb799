"""Counts requests against the limits of a minute, and tells where one stands.

Who shows a session or a token is counted as that user, where it is looked at (`web/security.py`);
who does not, and every request to a route that does not ask who it is, by its network; so is what
is refused before anybody asks (`web/app.py`). Health and metrics are not counted, nor are the files
of pages.

The header fields are those of draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy` says what
is allowed in which time, `RateLimit` what is left of it and for how many seconds that has to do.
"""

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Scope

from mediamill.core.acts import origin
from mediamill.core.errors import TooManyRequests
from mediamill.services.quotas.rates import RateLimits, Standing
from mediamill.store.repositories.rates import WINDOW

SECONDS = WINDOW // 1000
EXEMPT = ("/health/", "/metrics")
STATE = "rates"


def rates_of(request: Request) -> RateLimits:
    """Return the limits of the service behind this web application."""
    found: RateLimits = request.app.state.mill.rates
    return found


async def count_user(request: Request, user: str) -> None:
    """Count a user's request; raises `TooManyRequests`."""
    await _noting(request, "requests", user)


async def count_costly(request: Request, user: str) -> None:
    """Count a preview that a user asks for, beside the request; raises `TooManyRequests`."""
    await _noting(request, "previews", user)


async def count_nobody(request: Request) -> None:
    """Count a request of whom nobody knows; raises `TooManyRequests`."""
    if not request.scope["path"].startswith(EXEMPT):
        await _noting(request, "nobody", origin().address)


class Counted:
    """Which routes look who asks, and so count the request themselves, found out once for each."""

    def __init__(self, asks: object) -> None:
        """`asks` is what tells them who that is."""
        self._asks, self._known = asks, dict[int, bool]()

    def by_user(self, route: object) -> bool:
        """Tell whether a route looks who asks; routes stay as long as the application."""
        if id(route) not in self._known:
            dependant = route.dependant if isinstance(route, APIRoute) else None
            self._known[id(route)] = dependant is None or _calls(dependant, self._asks)
        return self._known[id(route)]


def _calls(dependant: Dependant, asks: object) -> bool:
    return any(one.call is asks or _calls(one, asks) for one in dependant.dependencies)


async def count_open(request: Request) -> None:
    """Count a request to a route that does not look who asks; raises `TooManyRequests`."""
    counted: Counted = request.app.state.counted
    if not counted.by_user(request.scope.get("route")):
        await count_nobody(request)


async def count_refused(request: Request) -> None:
    """Count a request that ends before it is counted: its address, say, leads nowhere.

    Raises `TooManyRequests`.
    """
    if STATE not in request.scope["state"]:
        await count_nobody(request)


async def _noting(request: Request, policy: str, whose: str) -> None:
    rates = rates_of(request)
    count = {
        "requests": rates.request, "previews": rates.preview, "nobody": rates.nobody,
    }[policy]  # fmt: skip
    standings: list[Standing] = request.scope["state"].setdefault(STATE, [])
    if any(standing.policy == policy for standing in standings):
        return  # one with a key is asked twice who it is
    try:
        standing = await count(whose)
    except TooManyRequests as refused:
        told = refused.details
        standings.append(Standing(policy, told["limit"], 0, refused.retry_after or 1))
        raise
    if standing is not None:
        standings.append(standing)


def rate_headers(scope: Scope) -> dict[str, str]:
    """Return the header fields that tell where a request stands; none where nothing limits it."""
    standings: list[Standing] = scope.get("state", {}).get(STATE, [])
    if not standings:
        return {}
    return {
        "ratelimit-policy": ", ".join(f'"{s.policy}";q={s.most};w={SECONDS}' for s in standings),
        "ratelimit": ", ".join(f'"{s.policy}";r={s.left};t={s.reset}' for s in standings),
    }
