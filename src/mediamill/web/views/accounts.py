"""People, their sessions and tokens as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.core.access import Scope
from mediamill.core.clock import rfc3339
from mediamill.services.accounts.inviting import Invited
from mediamill.services.accounts.scopes import scopes_of
from mediamill.services.accounts.sessions import Issued
from mediamill.store.repositories.invitations import Invitation
from mediamill.store.repositories.users import Role, Token, User
from mediamill.web.views.common import Time, View, moment


class UserView(View):
    id: str = Field(examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    email: str
    name: str
    role: str = Field(examples=["user", "analyst", "admin"])
    verified: bool = Field(description="Whether they have shown that mails to the address arrive.")
    created_at: Time


def user_view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        verified=user.verified is not None,
        created_at=rfc3339(user.created),
    )


class ManagedView(UserView):
    """A user, as administrators see them."""

    disabled: bool = Field(description="Whether they are kept out.")
    customer: str = Field(description="Whom figures name for the account.", examples=["Acme"])


def managed_view(user: User) -> ManagedView:
    shown = user_view(user).model_dump()
    return ManagedView(**shown, disabled=user.disabled, customer=user.customer)


class InvitationView(View):
    id: str = Field(examples=["invite_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    email: str
    role: Role
    project: str | None = Field(description="Id of the project that is shared with them then.")
    share: str | None = Field(description="As what.", examples=["viewer", "editor"])
    by: str = Field(description="Id of who invited them, or `operator`.")
    created_at: Time
    expires_at: Time
    accepted_at: Time | None
    user: str | None = Field(description="Id of who they became.")


class InvitedView(InvitationView):
    url: str = Field(description="The link that the mail has; it is not shown again.")


class NewUserView(View):
    user: ManagedView | None
    invitation: InvitedView | None = Field(description="Where no password was given.")


def _invitation_fields(row: Invitation) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.email,
        "role": row.role,
        "project": row.project,
        "share": row.share,
        "by": row.by,
        "created_at": rfc3339(row.created),
        "expires_at": rfc3339(row.expires),
        "accepted_at": moment(row.accepted),
        "user": row.user,
    }


def invitation_view(row: Invitation) -> InvitationView:
    return InvitationView(**_invitation_fields(row))


def invited_view(invited: Invited) -> InvitedView:
    return InvitedView(**_invitation_fields(invited.invitation), url=invited.url)


class SessionView(View):
    token: str = Field(description="Send it as `Authorization: Bearer …`; it is not shown again.")
    expires_at: Time | None
    user: UserView


class SignedInView(View):
    """Somewhere that the caller is signed in."""

    id: str = Field(examples=["token_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    current: bool = Field(description="Whether it is the session that asks.")
    agent: str = Field(description="What the program called itself that signed in.")
    address: str = Field(description="The IP address that it signed in from.")
    created_at: Time
    used_at: Time | None = Field(description="When it was last used, to ten minutes.")
    expires_at: Time | None


def signed_in_view(token: Token, current: str) -> SignedInView:
    return SignedInView(
        id=token.id,
        current=token.id == current,
        agent=token.agent,
        address=token.address,
        created_at=rfc3339(token.created),
        used_at=moment(token.used),
        expires_at=moment(token.expires),
    )


class TokenView(View):
    id: str
    name: str
    scopes: list[Scope] | None = Field(
        description="What it may do; null for all that its user may."
    )
    created_at: Time
    used_at: Time | None = Field(description="When it was last used, to ten minutes.")
    expires_at: Time | None


class IssuedView(TokenView):
    token: str = Field(description="The secret; it is not shown again.")


def _token_fields(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": None if token.scopes is None else sorted(scopes_of(token.scopes) or ()),
        "created_at": rfc3339(token.created),
        "used_at": moment(token.used),
        "expires_at": moment(token.expires),
    }


def token_view(token: Token) -> TokenView:
    return TokenView(**_token_fields(token))


def issued_view(issued: Issued) -> IssuedView:
    return IssuedView(**_token_fields(issued.token), token=issued.secret)
