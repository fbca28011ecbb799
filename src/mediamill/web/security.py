"""Who a request comes from, and the headers that keep browsers from being used against users.

A program shows its token as `Authorization: Bearer …`. A page shows the session cookie, which a
browser also sends along when another site makes it ask: so whatever changes something must come
from our own origin. `Sec-Fetch-Site` says so in every current browser, `Origin` in older ones.

Both call a page of `evil.example` our own once that name resolves to this machine (DNS rebinding).
So the name a request is for must be ours: the configured one, an address, or one that nobody can
register in the public DNS.
"""

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import Forbidden, SecondFactorNeeded, Unauthenticated
from mediamill.core.settings import Settings
from mediamill.services.accounts.sessions import SESSION_DAYS
from mediamill.web.gateway import gateway_of
from mediamill.web.problems import render, report_of
from mediamill.web.rates import count_costly, count_nobody, count_user
from mediamill.web.scopes import READS, require_scope
from mediamill.web.verified import require_verified

NO_FACTOR = (
    "This service wants you to have a second factor: set it up on the account page, or with "
    "POST /v1/me/factors/totp."
)
SESSION_COOKIE = "mediamill_session"
HOST_ONLY = "__Host-"
"""Begins the names of cookies that only this host, over HTTPS, can have set (RFC 6265bis)."""
PRIVATE_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
"""Ends of names that only a local network gives out (RFC 6761, 6762, 8375; ICANN 2024)."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src {talks}; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Pages talk to this service, and to its bucket where that takes their uploads."""
DATA_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
CONTENT_POLICY = f"sandbox; {DATA_POLICY}"
HSTS = "max-age=31536000"
"""For a year browsers ask this host over HTTPS only (RFC 6797); other names of its domain need not.
"""
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

_bearer = HTTPBearer(
    auto_error=False,
    description="A session's or an API token's secret, or an access token of the issuer's.",
)
_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    description=f"The session of a browser; over HTTPS it is called {HOST_ONLY}{SESSION_COOKIE}.",
)


def the_app(request: Request) -> App:
    """Return the service behind this web application."""
    app: App = request.app.state.mill
    return app


Mill = Annotated[App, Depends(the_app)]


async def identified(
    request: Request,
    mill: Mill,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Principal:
    """Tell who asks, also where they must set up a second factor; raises `Unauthenticated`.

    The request is counted; raises `TooManyRequests`.
    """
    secret = secret_of(request)
    if not secret:
        await count_nobody(request)
        raise Unauthenticated("Sign in first, or send a token as “Authorization: Bearer …”.")
    try:
        principal = await mill.accounts.authenticate(secret)
    except Unauthenticated:
        await count_nobody(request)
        raise
    request.state.user = principal.user
    await count_user(request, principal.user)
    require_scope(request, principal)
    require_verified(request, principal)
    return principal


async def caller(principal: Annotated[Principal, Depends(identified)]) -> Principal:
    """Tell who asks; raises `Unauthenticated`, `SecondFactorNeeded`."""
    if principal.lacks_factor:
        raise SecondFactorNeeded(NO_FACTOR)
    return principal


async def count_preview(request: Request, principal: Annotated[Principal, Depends(caller)]) -> None:
    """Count what costs more than other requests; raises `TooManyRequests`."""
    await count_costly(request, principal.user)


async def recent(principal: Annotated[Principal, Depends(caller)], mill: Mill) -> Principal:
    """Tell who asks, of those who proved it lately; raises `ConfirmationNeeded` too."""
    mill.people.confirming.require_recent(principal)
    return principal


async def fresh(principal: Annotated[Principal, Depends(caller)], mill: Mill) -> Principal:
    """Tell who asks: a program, or who proved lately who they are."""
    if principal.session:
        mill.people.confirming.require_recent(principal)
    return principal


async def setting_up(principal: Annotated[Principal, Depends(identified)], mill: Mill) -> Principal:
    """Tell who sets up a second factor, which they may lack, and proved lately who they are."""
    mill.people.confirming.require_recent(principal)
    return principal


async def require_what_it_asks(dependant: Dependant, principal: Principal, mill: App) -> None:
    """Ask of a caller what a route asks of them, where that is not done; raises as that does."""
    known: dict[str, Any] = {"principal": principal, "mill": mill}
    for one in dependant.dependencies:
        await require_what_it_asks(one, principal, mill)
        if one.call in (caller, recent, fresh, setting_up):
            names = [each.name for each in one.dependencies if each.name]
            await one.call(**{name: known[name] for name in names})


Identified = Annotated[Principal, Depends(identified)]
"""For the few routes that lead to a second factor, and out."""
Caller = Annotated[Principal, Depends(caller)]
Recent = Annotated[Principal, Depends(recent)]
"""For what would hurt most from somebody else's hands."""
Fresh = Annotated[Principal, Depends(fresh)]
"""For what outlives a session, and programs may do as well."""
SettingUp = Annotated[Principal, Depends(setting_up)]


def secret_of(request: Request) -> str:
    """Return the secret that a request shows, empty if none; a header goes before the cookie."""
    header = request.headers.get("authorization")
    if header is None:
        return session_of(request)
    scheme, _, secret = header.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def session_of(request: Request) -> str:
    """Return the session that a browser shows, empty if none."""
    return request.cookies.get(cookie_name(request, SESSION_COOKIE), "")


async def present(request: Request, mill: App) -> Principal | None:
    """Tell who this browser is signed in as, if anybody."""
    secret = session_of(request)
    try:
        return await mill.accounts.authenticate(secret) if secret else None
    except Unauthenticated:
        return None


def cookie_name(request: Request, name: str) -> str:
    """Return what a cookie is called; over HTTPS so that no other host can have planted it."""
    return (HOST_ONLY if is_private(request) else "") + name


class HostGuard:
    """Refuse requests for a name that is not ours."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            asked = gateway_of(scope).host  # who asks it by a name has it to be ours
            if not all((asked and host == asked) or is_ours(host, self.settings) for host in hosts):
                error = HTTPException(
                    421,
                    "This service does not answer to the name in this address. If it should, set "
                    "MEDIAMILL_PUBLIC_URL to the address that users see.",
                )
                request_id = scope.get("state", {}).get("request_id", "")
                await render(report_of(error), request_id)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def is_ours(host: str, settings: Settings) -> bool:
    """Tell whether a Host header names this service; one label alone is a local network's name."""
    found = _HOST.fullmatch(host.lower())
    if not found:
        return False
    name = (found["address"] or found["name"]).removesuffix(".")
    with suppress(ValueError):
        ip_address(name)
        return True
    if found["address"] or not name:
        return False
    if "." not in name or name.endswith(PRIVATE_NAMES):
        return True
    return name in {settings.host.lower(), *_public_names(settings.public_url)}


_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?")


def _public_names(public_url: str) -> set[str]:
    """Return the public address's name, as written and as browsers send it."""
    name = (urlsplit(public_url).hostname or "").removesuffix(".")
    with suppress(UnicodeError):
        return {name, name.encode("idna").decode()}
    return {name}


def refuse_cross_site(request: Request) -> None:
    """Raise `Forbidden` for a change that another site made a browser ask for."""
    if request.method in READS or "authorization" in request.headers:
        return
    if not _same_origin(request):
        raise Forbidden("This request did not come from this site’s own pages.")


def _same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is not None:
        return origin in _own_origins(request)
    return not session_of(request)


def _own_origins(request: Request) -> set[str]:
    public = urlsplit(the_app(request).settings.public_url)
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}"}
    return own | {f"{public.scheme}://{public.netloc}"} if public.netloc else own


def public_address(request: Request) -> str:
    """Return the address that users see, without a slash at its end."""
    public = the_app(request).settings.public_url
    here = str(request.base_url).rstrip("/") + gateway_of(request.scope).prefix
    return public.rstrip("/") or here


def is_private(request: Request) -> bool:
    """Tell whether browsers reach this service through HTTPS."""
    public = the_app(request).settings.public_url
    return request.url.scheme == "https" or public.startswith("https:")


def own_path(address: str) -> str:
    r"""Return an address to go on to if it is a path of ours, else the first page.

    A browser takes `\` for `/` and drops tabs and newlines, and `//` leads to another host.
    """
    return address if _OWN_PATH.fullmatch(address) else "/"


_OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,2000}")


def set_session(request: Request, response: Response, secret: str) -> None:
    """Give a browser the session; scripts cannot read it, other sites cannot send it in forms."""
    response.set_cookie(
        cookie_name(request, SESSION_COOKIE),
        secret,
        max_age=SESSION_DAYS * 24 * 3600,
        path="/",
        secure=is_private(request),
        httponly=True,
        samesite="lax",
    )


def clear_session(request: Request, response: Response) -> None:
    """Make a browser forget the session, and what it kept of the pages and pictures shown in it."""
    response.headers["clear-site-data"] = '"cache", "storage"'
    response.delete_cookie(
        cookie_name(request, SESSION_COOKIE),
        path="/",
        secure=is_private(request),
        httponly=True,
        samesite="lax",
    )
