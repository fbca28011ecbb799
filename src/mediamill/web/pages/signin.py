"""Signing in: the page with its ways, and the way there and back through an issuer."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import PlainTextResponse, RedirectResponse

from mediamill.app import App
from mediamill.core.errors import MediamillError, NotFound, Unauthenticated
from mediamill.services.accounts.commonest import commonest
from mediamill.services.accounts.federation import Federation
from mediamill.web import flows
from mediamill.web.pages.errors import error_card, reader
from mediamill.web.pages.rendering import page
from mediamill.web.problems import NOTHING, log_failure, report_of
from mediamill.web.security import Mill, own_path, present, public_address, set_session

router = APIRouter(include_in_schema=False)

Next = Annotated[str, Query(alias="next")]


@router.get("/signin")
async def sign_in_page(request: Request, mill: Mill, back: Next = "/") -> Response:
    """Show the ways to sign in; a one-time link's token is spent by the page's script only."""
    return _sign_in(mill, own_path(back), left="left" in request.query_params)


@router.get("/commonest.txt")
async def commonest_passwords(mill: Mill) -> Response:
    """Return the passwords that are tried first and are long enough, one a line.

    Pages compare with them in the browser what is typed there, so nothing of it leaves it before it
    is chosen.
    """
    least = mill.settings.password_length
    return PlainTextResponse("\n".join(sorted(one for one in commonest() if len(one) >= least)))


@router.get("/auth/oidc/start")
async def start(request: Request, mill: Mill, back: Next = "/") -> Response:
    """Send the browser to the issuer."""
    federation = _federation(mill)
    try:
        begun = await federation.begin(flows.short(own_path(back)), flows.callback_of(request))
    except MediamillError as error:
        return _sign_in(mill, own_path(back), error)
    response = RedirectResponse(begun.url, 303)
    flows.keep(request, response, begun)
    return response


@router.get("/auth/oidc/callback")
async def callback(request: Request, mill: Mill) -> Response:
    """Take up a sign-in, or a linking, where the issuer has sent the browser back."""
    federation = _federation(mill)
    pairs = request.query_params.multi_items()
    answer = dict(pairs)
    state = answer.get("state", "")
    kept, here = flows.kept(request, state), await present(request, mill)
    try:
        if len(answer) != len(pairs):
            raise Unauthenticated("The issuer’s answer says something twice: begin again.")
        arrived = await federation.finish(answer, kept, flows.callback_of(request), here)
    except MediamillError as error:
        if here is None:
            response = _sign_in(mill, await federation.back(kept, state), error)
        else:
            response = error_card(request, report_of(error), await reader(request))
    else:
        response = RedirectResponse(arrived.back, 303)
        if arrived.issued is not None:
            set_session(request, response, arrived.issued.secret)
    flows.forget(request, response, state)
    return response


@router.get("/auth/oidc/end")
async def end(request: Request, mill: Mill) -> Response:
    """Send a browser that is signed out here to where it signs out of the issuer, if it can."""
    there = await _federation(mill).issuer.leaving(f"{public_address(request)}/signin")
    return RedirectResponse(there or "/signin", 303)


def _federation(mill: App) -> Federation:
    if mill.federation is None:
        raise NotFound(NOTHING)
    return mill.federation


def _sign_in(
    mill: App, back: str, error: MediamillError | None = None, *, left: bool = False
) -> Response:
    """Render the sign-in page; beside an error, with the status that it has."""
    report = report_of(error) if error else None
    if error is not None and report is not None and report.status >= 500:
        log_failure(error, path="/signin")
    issuer = mill.federation.issuer if mill.federation else None
    passwords = issuer is None or issuer.passwords
    return page(
        "signin.html",
        status=report.status if report else 200,
        registration=mill.settings.registration and passwords,
        passwords=passwords,
        least=mill.settings.password_length,
        issuer=issuer.label if issuer else "",
        left=left,
        back=back,
        problem=report.detail if report else "",
        user=None,
    )
