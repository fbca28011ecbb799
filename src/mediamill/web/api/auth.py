"""Accounts: register, sign in and out, and the caller's own profile."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from mediamill.core.errors import AccountClosing
from mediamill.web.api.factors import CODE
from mediamill.web.api.recovery import NEW, WORDS
from mediamill.web.devices import kept_devices
from mediamill.web.parsing import PROBLEM, Body, StrictRoute
from mediamill.web.security import Identified, Mill, clear_session, secret_of
from mediamill.web.signing_in import signed_in
from mediamill.web.views.accounts import SessionView, UserView, user_view

router = APIRouter(prefix="/v1", tags=["accounts"], responses=PROBLEM, route_class=StrictRoute)


class Registration(Body):
    email: str = Field(max_length=300, examples=["ann@example.org"])
    password: str = Field(max_length=5000, examples=[WORDS], description=NEW)
    name: str = Field("", max_length=300)


class Credentials(Body):
    email: str = Field(max_length=300, examples=["ann@example.org"])
    password: str = Field(max_length=5000, examples=[WORDS])
    code: str = Field("", max_length=100, examples=["287082"], description=CODE)


class Link(Body):
    token: str = Field(max_length=200, description="The secret of a one-time sign-in link.")


@router.post("/auth/register", status_code=201)
async def register(body: Registration, mill: Mill) -> UserView:
    """Make an account; the first one of an installation is its administrator."""
    return user_view(await mill.accounts.register(body.email, body.password, body.name))


@router.post("/auth/login")
async def login(body: Credentials, mill: Mill, request: Request, response: Response) -> SessionView:
    """Sign in with address and password; browsers get the session as a cookie too."""
    kept = kept_devices(request)
    try:
        issued = await mill.accounts.login(body.email, body.password, body.code, kept)
    except AccountClosing as closing:
        raise await mill.privacy.closing.offered(closing) from None
    return await signed_in(issued, mill, request, response)


@router.post("/auth/redeem")
async def redeem(body: Link, mill: Mill, request: Request, response: Response) -> SessionView:
    """Sign in with a one-time link, which is then spent."""
    issued = await mill.accounts.redeem(body.token)
    return await signed_in(issued, mill, request, response)


@router.post("/auth/logout", status_code=204)
async def logout(caller: Identified, mill: Mill, request: Request, response: Response) -> None:
    """End the session, or revoke the token, that this request shows."""
    await mill.accounts.logout(caller, secret_of(request))
    clear_session(request, response)


@router.get("/me")
async def me(caller: Identified, mill: Mill) -> UserView:
    """Show who the caller is."""
    return user_view(await mill.accounts.profile(caller))
