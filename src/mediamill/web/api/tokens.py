"""API tokens: what programs show instead of a password."""

from fastapi import APIRouter
from pydantic import Field

from mediamill.core.access import Scope
from mediamill.services.accounts.tokens import MAX_TOKEN_DAYS
from mediamill.web.idempotency import shown_once
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, TokenId, cursor
from mediamill.web.security import Caller, Fresh, Mill
from mediamill.web.views.accounts import IssuedView, TokenView, issued_view, token_view
from mediamill.web.views.common import Listed, listed

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], responses=PROBLEM, route_class=StrictRoute)


class TokenRequest(Body):
    name: str = Field(min_length=1, max_length=100, examples=["build server"])
    expires_in_days: int | None = Field(
        None,
        ge=1,
        le=MAX_TOKEN_DAYS,
        description="If left out, good until revoked; made with an API token, as long as that.",
    )

    scopes: list[Scope] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="What it may do; all that its maker may, if left out.",
        examples=[["files:write", "jobs:write", "jobs:read"]],
    )


@router.post("", status_code=201)
@shown_once
async def issue_token(body: TokenRequest, caller: Fresh, mill: Mill) -> IssuedView:
    """Make a token; its secret is shown this once."""
    issued = await mill.people.tokens.issue(caller, body.name, body.expires_in_days, body.scopes)
    return issued_view(issued)


@router.get("")
async def list_tokens(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[TokenView]:
    """List the caller's tokens, newest first."""
    with cursor(after):
        page = await mill.people.tokens.list(caller, after, limit)
    return listed([token_view(token) for token in page.rows], page.after)


@router.delete("/{token_id}", status_code=204)
async def revoke_token(token_id: TokenId, caller: Caller, mill: Mill) -> None:
    """Revoke a token at once."""
    await mill.people.tokens.revoke(caller, token_id)
