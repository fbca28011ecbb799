"""Accepting an invitation: anybody who has the link of one."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from mediamill.web.api.recovery import WORDS
from mediamill.web.parsing import PROBLEM, Body, StrictRoute
from mediamill.web.security import Mill
from mediamill.web.signing_in import signed_in
from mediamill.web.views.accounts import SessionView

router = APIRouter(prefix="/v1/auth", tags=["accounts"], responses=PROBLEM, route_class=StrictRoute)


class Acceptance(Body):
    token: str = Field(max_length=1_000, description="What the link has behind its `#`.")
    password: str = Field(max_length=5000, examples=[WORDS])
    name: str = Field("", max_length=300)


@router.post("/invitation")
async def accept_invitation(
    body: Acceptance, mill: Mill, request: Request, response: Response
) -> SessionView:
    """Make the account that an invitation is for, and sign in; the link is then spent."""
    issued = await mill.people.inviting.accept(body.token, body.password, body.name)
    return await signed_in(issued, mill, request, response)
