"""The page that an error becomes."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mediamill.core.errors import MediamillError, SecondFactorNeeded
from mediamill.store.repositories.users import User
from mediamill.web.pages.rendering import page
from mediamill.web.problems import NOTHING, Report, request_id
from mediamill.web.security import own_path, present, session_of, the_app

DATA_PATHS = ("/v1", "/health", "/metrics", "/openapi.json", "/static", "/parts")
TOLD = frozenset({403, 404, 429, 500, 503})
"""Statuses that the page has words of its own for."""


def wants_page(request: Request) -> bool:
    """Tell whether a person's browser asks for a page, rather than a program for data."""
    data = request.url.path.startswith(DATA_PATHS)
    return not data and "text/html" in request.headers.get("accept", "")


async def error_page(request: Request, report: Report) -> Response:
    """Answer an error as a page; who is not signed in is led to where one does that."""
    if report.status == 401:
        return RedirectResponse(f"/signin?next={quote(_asked(request), safe='/')}", 303)
    if report.code == SecondFactorNeeded.code:
        return RedirectResponse("/account#second-factor", 303)
    idle = report.status < 500 and report.status != 429
    return error_card(request, report, await reader(request) if idle else None)


def _asked(request: Request) -> str:
    """Return the address as it was asked for, or without its query where that is too long."""
    path, query = request.url.path, request.url.query
    whole = f"{path}?{query}" if query else path
    return whole if own_path(whole) == whole else path


async def reader(request: Request) -> User | None:
    """Tell who looks at the page, if that can be told."""
    mill = the_app(request)
    try:
        here = await present(request, mill)
        return await mill.accounts.profile(here) if here else None
    except MediamillError:
        return None


def error_card(request: Request, report: Report, user: User | None = None) -> HTMLResponse:
    """Answer an error as a page, whatever it is, to somebody of whom it is known who they are."""
    return page(
        "error.html",
        report.status,
        user=user,
        report=report,
        detail="" if report.detail == NOTHING else report.detail,
        kind=str(report.status) if report.status in TOLD else "other",
        request_id=request_id(request),
        retry=report.retryable or report.status >= 500,
        signed_in=bool(session_of(request)),
    )
