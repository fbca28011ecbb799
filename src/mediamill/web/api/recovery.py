"""Passwords and addresses: changed by who knows the password, or by a link in a mail."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from mediamill.web.devices import remember_device
from mediamill.web.openapi import SESSION
from mediamill.web.parsing import PROBLEM, Body, StrictRoute, shown
from mediamill.web.security import Caller, Identified, Mill, clear_session, secret_of
from mediamill.web.views.accounts import UserView, user_view
from mediamill.web.views.common import View

router = APIRouter(prefix="/v1", tags=["accounts"], responses=PROBLEM, route_class=StrictRoute)

NEW = "As many characters as MEDIAMILL_PASSWORD_LENGTH says to 1024; none that is tried first."
WORDS = "correct horse battery staple"
"""A password in examples."""
TOKEN = "What stands behind the # of the link in the mail."  # noqa: S105 - a description


class NewPassword(Body):
    model_config = shown(current=WORDS, new="six words that nobody else says")

    current: str = Field("", max_length=5000, description="Empty for who has none yet.")
    new: str = Field(max_length=5000, description=NEW)


class Forgotten(Body):
    email: str = Field(max_length=300, examples=["ann@example.org"])


class Reset(Body):
    token: str = Field(max_length=200, description=TOKEN)
    password: str = Field(max_length=5000, examples=[WORDS], description=NEW)


class Verification(Body):
    token: str = Field(max_length=200, description=TOKEN)


class Profile(Body):
    name: str | None = Field(None, max_length=300, description="Empty for none.")
    email: str | None = Field(
        None, max_length=300, description="It counts once the link sent to it was opened."
    )
    password: str = Field("", max_length=5000, description="That of the account, with `email`.")


class ForgottenView(View):
    detail: str


SENT = "If an account has this address, a mail with a link is on its way to it."


@router.post("/auth/password", status_code=204, openapi_extra=SESSION)
async def change_password(
    body: NewPassword, caller: Caller, mill: Mill, request: Request, response: Response
) -> None:
    """Change one's password; all other sessions end."""
    await mill.people.recovery.change(caller, secret_of(request), body.current, body.new)
    await remember_device(mill, request, response, caller.user)


@router.post("/auth/password/forgot", status_code=202)
async def forgot_password(body: Forgotten, mill: Mill) -> ForgottenView:
    """Mail a link for a new password; the answer is the same whether anybody has the address."""
    await mill.people.recovery.forgot(body.email)
    return ForgottenView(detail=SENT)


@router.post("/auth/password/reset", status_code=204)
async def reset_password(body: Reset, mill: Mill, request: Request, response: Response) -> None:
    """Set a new password with a link, which is then spent; all sessions end."""
    user = await mill.people.recovery.reset(body.token, body.password)
    clear_session(request, response)
    if user.factor is None:  # else this browser has not proved all that there is
        await remember_device(mill, request, response, user.id)


@router.post("/auth/verify", status_code=204)
async def verify_address(body: Verification, mill: Mill) -> None:
    """Show with a link that mails to an address arrive; a new one counts from then on."""
    await mill.people.addresses.verify(body.token)


@router.post("/auth/verify/resend", status_code=204)
async def resend_verification(caller: Identified, mill: Mill) -> None:
    """Mail another link to one's address; the one before ends."""
    await mill.people.addresses.resend(caller)


@router.patch("/me")
async def change_me(body: Profile, caller: Caller, mill: Mill) -> UserView:
    """Change one’s name; ask for another address, which counts once verified: the old is told."""
    await mill.people.profile.change(caller, body.name, body.email, body.password)
    return user_view(await mill.accounts.profile(caller))
