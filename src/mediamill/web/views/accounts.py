"""People, their sessions and tokens as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.accounts.sessions import Issued
from mediamill.store.repositories.users import Token, User
from mediamill.web.views.common import Time, View, moment


class UserView(View):
    id: str = Field(examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    email: str
    name: str
    role: str = Field(examples=["user", "admin"])
    created_at: Time


def user_view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        created_at=rfc3339(user.created),
    )


class SessionView(View):
    token: str = Field(description="Send it as `Authorization: Bearer …`; it is not shown again.")
    expires_at: Time | None
    user: UserView


class TokenView(View):
    id: str
    name: str
    created_at: Time
    expires_at: Time | None


class IssuedView(TokenView):
    token: str = Field(description="The secret; it is not shown again.")


def _token_fields(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "created_at": rfc3339(token.created),
        "expires_at": moment(token.expires),
    }


def token_view(token: Token) -> TokenView:
    return TokenView(**_token_fields(token))


def issued_view(issued: Issued) -> IssuedView:
    return IssuedView(**_token_fields(issued.token), token=issued.secret)
