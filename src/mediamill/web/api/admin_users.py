"""Users and invitations, for administrators."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from mediamill.store.repositories.users import Role
from mediamill.web.idempotency import shown_once
from mediamill.web.parsing import (
    PROBLEM,
    After,
    Body,
    InvitationId,
    Limit,
    StrictRoute,
    UserId,
    cursor,
)
from mediamill.web.security import Caller, Mill, Recent
from mediamill.web.views.accounts import (
    InvitationView,
    InvitedView,
    ManagedView,
    NewUserView,
    invitation_view,
    invited_view,
    managed_view,
)
from mediamill.web.views.common import Listed, listed

router = APIRouter(prefix="/v1/admin", tags=["admin"], responses=PROBLEM, route_class=StrictRoute)


class NewUser(Body):
    email: str = Field(max_length=300, examples=["bea@example.org"])
    name: str = Field(
        "", max_length=300, description="Taken with a password; who is invited says it themselves."
    )
    role: Role = Role.USER
    password: str | None = Field(
        None, max_length=5000, description="If left out they are invited, and choose one."
    )


class UserChanges(Body):
    role: Role | None = None
    disabled: bool | None = None
    name: str | None = Field(None, max_length=300)
    customer: str | None = Field(
        None, max_length=300, description="Whom figures name for the account; empty for nobody."
    )


class NewInvitation(Body):
    email: str = Field(max_length=300, examples=["bea@example.org"])
    role: Role = Role.USER
    project: str | None = Field(
        None, max_length=100, description="Id of a project of yours that is shared with them."
    )
    share: Literal["viewer", "editor"] | None = Field(None, description="As what.")

    @model_validator(mode="after")
    def _share_of_what(self) -> "NewInvitation":
        if self.share is not None and self.project is None:
            raise ValueError("share needs a project")
        return self


@router.get("/users")
async def list_users(
    caller: Caller,
    mill: Mill,
    search: Annotated[
        str, Query(max_length=100, description="What their address or name begins with.")
    ] = "",
    role: Role | None = None,
    after: After = None,
    limit: Limit = 20,
) -> Listed[ManagedView]:
    """List users by role."""
    with cursor(after):
        page = await mill.people.administering.list(caller, search, role, after, limit)
    return listed([managed_view(user) for user in page.rows], page.after)


@router.post("/users", status_code=201)
@shown_once
async def create_user(body: NewUser, caller: Recent, mill: Mill) -> NewUserView:
    """Add a user with a password, or invite them to choose one; the link is shown this once."""
    people = mill.people.administering
    if body.password is None:
        invited = await people.invite(caller, body.email, body.role)
        return NewUserView(user=None, invitation=invited_view(invited))
    user = await people.create(caller, body.email, body.name, body.role, body.password)
    return NewUserView(user=managed_view(user), invitation=None)


@router.get("/users/{user_id}")
async def get_user(user_id: UserId, caller: Caller, mill: Mill) -> ManagedView:
    """Show a user."""
    return managed_view(await mill.people.administering.show(caller, user_id))


@router.patch("/users/{user_id}")
async def change_user(
    user_id: UserId, body: UserChanges, caller: Recent, mill: Mill
) -> ManagedView:
    """Give a user another role or name, keep them out or let them in; it works at once."""
    changed = await mill.people.administering.change(
        caller, user_id, body.role, body.disabled, body.name, body.customer
    )
    return managed_view(changed)


@router.delete("/users/{user_id}/sessions", status_code=204)
async def end_sessions_of_user(user_id: UserId, caller: Caller, mill: Mill) -> None:
    """Sign a user out everywhere at once; their API tokens stay."""
    await mill.people.administering.end_sessions(caller, user_id)


@router.post("/invitations", status_code=201)
@shown_once
async def invite(body: NewInvitation, caller: Recent, mill: Mill) -> InvitedView:
    """Invite somebody by mail, also where registration is closed; the link is shown this once."""
    invited = await mill.people.inviting.invite(
        caller, body.email, body.role, body.project, body.share
    )
    return invited_view(invited)


@router.get("/invitations")
async def list_invitations(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[InvitationView]:
    """List invitations, newest first."""
    with cursor(after):
        page = await mill.people.inviting.every(caller, after, limit)
    return listed([invitation_view(row) for row in page.rows], page.after)


@router.delete("/invitations/{invitation_id}", status_code=204)
async def revoke_invitation(invitation_id: InvitationId, caller: Caller, mill: Mill) -> None:
    """Take an invitation back, before it is accepted."""
    await mill.people.inviting.revoke(caller, invitation_id)
