"""Accepting an invitation: anybody who has the link of one."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from mediamill.web.parsing import PROBLEM, Body, StrictRoute
from mediamill.web.security import Mill, set_session
from mediamill.web.views.accounts import SessionView, user_view
from mediamill.web.views.common import moment

router = APIRouter(prefix="/v1/auth", tags=["accounts"], responses=PROBLEM, route_class=StrictRoute)


class Acceptance(Body):
    token: str = Field(max_length=1_000, description="What the link has behind its `#`.")
    password: str = Field(max_length=5000)
    name: str = Field("", max_length=300)


@router.post("/invitation")
async def accept_invitation(
    body: Acceptance, mill: Mill, request: Request, response: Response
) -> SessionView:
    """Make the account that an invitation is for, and sign in; the link is then spent."""
    issued = await mill.people.inviting.accept(body.token, body.password, body.name)
    set_session(request, response, issued.secret)
    principal = await mill.accounts.authenticate(issued.secret)
    user = await mill.accounts.profile(principal)
    expires = moment(issued.token.expires)
    return SessionView(token=issued.secret, expires_at=expires, user=user_view(user))
