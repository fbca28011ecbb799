"""The cookie of a sign-in on its way through the issuer: one for each, named after its state.

Several tabs may be on their way, any server may take up where another began, and an answer counts
in no other browser.
"""

import re

from fastapi import Request, Response

from mediamill.services.accounts.federation import Begun
from mediamill.services.accounts.flows import LIFETIME
from mediamill.web.security import cookie_name, is_private, public_address

COOKIE = "mediamill_flow_"
MOST = 5
"""Sign-ins on their way in one browser; one more, and those before are given up."""

MOST_BACK = 300
"""Characters of an address to go back to: all cookies together have room for a few of them."""

_STATE = re.compile(r"[A-Za-z0-9_-]{43}")


def callback_of(request: Request) -> str:
    """Return the address that an issuer sends browsers back to."""
    return f"{public_address(request)}/auth/oidc/callback"


def short(back: str) -> str:
    """Return an address to go back to as a cookie has room for it: perhaps without its query."""
    fitting = (one for one in (back, back.partition("?")[0]) if len(one) <= MOST_BACK)
    return next(fitting, "/")


def keep(request: Request, response: Response, begun: Begun) -> None:
    """Let the browser keep a sign-in that is on its way; scripts cannot read it."""
    earlier = [name for name in request.cookies if COOKIE in name]
    for name in earlier if len(earlier) >= MOST else ():
        _remove(request, response, name)
    response.set_cookie(
        _name(request, begun.state),
        begun.kept,
        max_age=LIFETIME // 1000,
        path="/",
        secure=is_private(request),
        httponly=True,
        samesite="lax",
    )


def kept(request: Request, state: str) -> str:
    """Return what the browser keeps of a sign-in, empty if nothing."""
    return request.cookies.get(_name(request, state), "")


def forget(request: Request, response: Response, state: str) -> None:
    """Make the browser forget a sign-in, if it kept it."""
    if kept(request, state):
        _remove(request, response, _name(request, state))


def _name(request: Request, state: str) -> str:
    """Return the cookie of a state; over HTTPS one that no other host can have planted."""
    if not _STATE.fullmatch(state):
        return ""
    return cookie_name(request, COOKIE + state[:16])


def _remove(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(name, "/", secure=is_private(request), httponly=True, samesite="lax")
