"""Where the caller is signed in, and how they end it there."""

from fastapi import APIRouter, Request

from mediamill.web.parsing import PROBLEM, After, Limit, StrictRoute, TokenId, cursor
from mediamill.web.security import Caller, Mill, secret_of
from mediamill.web.views.accounts import SignedInView, signed_in_view
from mediamill.web.views.common import Listed, listed

router = APIRouter(
    prefix="/v1/me/sessions", tags=["accounts"], responses=PROBLEM, route_class=StrictRoute
)


@router.get("")
async def list_sessions(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[SignedInView]:
    """List where the caller is signed in, newest first; the session that asks is marked."""
    with cursor(after):
        page = await mill.people.sessions.list(caller, after, limit)
    return listed([signed_in_view(token, caller.token) for token in page.rows], page.after)


@router.delete("", status_code=204)
async def end_other_sessions(caller: Caller, mill: Mill, request: Request) -> None:
    """Sign out everywhere but here; API tokens stay. It works at once."""
    await mill.people.sessions.end_others(caller, secret_of(request))


@router.delete("/{session_id}", status_code=204)
async def end_session(session_id: TokenId, caller: Caller, mill: Mill) -> None:
    """End one session at once."""
    await mill.people.sessions.end(caller, session_id)
