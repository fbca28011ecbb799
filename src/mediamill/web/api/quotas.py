"""Limits of users, for administrators."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from mediamill.services.quotas.service import MOST
from mediamill.web.parsing import PROBLEM, Body, StrictRoute, UserId
from mediamill.web.security import Caller, Mill
from mediamill.web.views.quotas import QuotaOfUserView, allowance_view

router = APIRouter(
    prefix="/v1/admin/users", tags=["usage"], responses=PROBLEM, route_class=StrictRoute
)

Most = Annotated[int | None, Field(ge=0, le=MOST)]


class QuotaBody(Body):
    """The user's own limits: null is as for all users, 0 is no limit."""

    bytes: Most = Field(None, examples=[10_737_418_240])
    files: Most = None
    jobs: Most = None
    items: Most = None
    requests: Most = None


@router.get("/{user_id}/quota")
async def read_quota(user_id: UserId, caller: Caller, mill: Mill) -> QuotaOfUserView:
    """Tell what a user may have and has; for administrators."""
    return allowance_view(await mill.quotas.look(caller, user_id))


@router.put("/{user_id}/quota")
async def set_quota(
    user_id: UserId, body: QuotaBody, caller: Caller, mill: Mill
) -> QuotaOfUserView:
    """Give a user limits of their own, instead of those before; for administrators.

    What is there already stays: a user who keeps more than that may keep it, and adds nothing.
    """
    return allowance_view(await mill.quotas.give(caller, user_id, body.model_dump()))


@router.delete("/{user_id}/quota")
async def reset_quota(user_id: UserId, caller: Caller, mill: Mill) -> QuotaOfUserView:
    """Let the limits of all users hold for a user again; for administrators."""
    return allowance_view(await mill.quotas.reset(caller, user_id))
