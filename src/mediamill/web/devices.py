"""The cookie by which a browser that signed in to an account is known to it again.

One for each account, named after the user: several people may use a browser. Scripts cannot read
it, other sites cannot send it, and it opens nothing (`services/accounts/devices.py`).
"""

import hashlib
from collections.abc import Sequence

from fastapi import Request, Response

from mediamill.app import App
from mediamill.services.accounts.devices import DAYS, MOST
from mediamill.web.security import cookie_name, is_private

COOKIE = "mediamill_device_"


def kept_devices(request: Request) -> Sequence[str]:
    """Return what a browser kept from earlier sign-ins."""
    return [value for name, value in request.cookies.items() if _is_one(request, name)][:MOST]


async def remember_device(mill: App, request: Request, response: Response, user: str) -> None:
    """Let a browser be known to a user's account; one too many, and all others are forgotten.

    For who has just given the password, and the code where a second factor is on.
    """
    name = cookie_name(request, COOKIE + hashlib.sha256(user.encode()).hexdigest()[:16])
    secure = is_private(request)
    others = [one for one in request.cookies if _is_one(request, one) and one != name]
    for other in others if len(others) >= MOST else ():
        response.delete_cookie(other, "/", secure=secure, httponly=True, samesite="strict")
    response.set_cookie(
        name,
        await mill.people.devices.known(user),
        max_age=DAYS * 24 * 3600,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def _is_one(request: Request, name: str) -> bool:
    return name.startswith(cookie_name(request, COOKIE))
