"""Identities: what an issuer knows the caller as, by which they sign in too."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.core.errors import Conflict
from mediamill.store.repositories.identities import Identity
from mediamill.web import flows
from mediamill.web.parsing import PROBLEM, After, IdentityId, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill, Recent
from mediamill.web.views.common import Listed, Time, View, listed

ACCOUNT_PAGE = "/account"

router = APIRouter(
    prefix="/v1/me/identities", tags=["accounts"], responses=PROBLEM, route_class=StrictRoute
)


class IdentityView(View):
    id: str = Field(examples=["identity_3F7ZK2M8QW1XNB5RYD4TGHC9VE"])
    issuer: str = Field(examples=["https://sso.example.org/realms/media"])
    subject: str = Field(description="The issuer's name for the caller; it never changes.")
    email: str = Field(description="Empty unless the issuer has verified one.")
    name: str
    created_at: Time


class LinkingView(View):
    url: str = Field(description="Where the browser goes on to.")


def identity_view(identity: Identity) -> IdentityView:
    return IdentityView(
        id=identity.id,
        issuer=identity.issuer,
        subject=identity.subject,
        email=identity.email,
        name=identity.name,
        created_at=rfc3339(identity.created),
    )


@router.get("")
async def list_identities(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[IdentityView]:
    """List what the issuer knows the caller as."""
    with cursor(after):
        page = await mill.linking.of(caller, after, limit)
    return listed([identity_view(each) for each in page.rows], page.after)


@router.post("")
async def link_identity(
    caller: Recent, mill: Mill, request: Request, response: Response
) -> LinkingView:
    """Begin to link another way to sign in; from a page only, whose browser then goes there."""
    if mill.federation is None:
        raise Conflict("There is no issuer here to sign in with (MEDIAMILL_IDENTITY_URL).")
    begun = await mill.federation.begin(ACCOUNT_PAGE, flows.callback_of(request), caller)
    flows.keep(request, response, begun)
    return LinkingView(url=begun.url)


@router.delete("/{identity_id}", status_code=204)
async def unlink_identity(identity_id: IdentityId, caller: Recent, mill: Mill) -> None:
    """Remove a way to sign in, unless it is the caller's last."""
    await mill.linking.unlink(caller, identity_id)
