"""The audit trail: everybody's for administrators, one's own for oneself."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from mediamill.services.audit.search import Wanted
from mediamill.web.parsing import PROBLEM, After, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.tables import csv_lines, described, sent
from mediamill.web.views.audit import ActView, act_view
from mediamill.web.views.common import Listed, listed

CSV = "text/csv"

router = APIRouter(prefix="/v1", tags=["audit"], responses=PROBLEM, route_class=StrictRoute)

Id = Annotated[str | None, Query(min_length=1, max_length=100)]
Moment = Annotated[
    str | None,
    Query(max_length=40, description="A day or time (UTC), as 2026-11-21T13:45:00Z."),
]


@router.get("/admin/audit")
async def search_audit(
    caller: Caller,
    mill: Mill,
    actor: Id = None,
    about: Id = None,
    action: Id = None,
    since: Moment = None,
    until: Moment = None,
    after: After = None,
    limit: Limit = 20,
) -> Listed[ActView]:
    """List who did what, or was kept from it, newest first; for administrators.

    A page may hold few acts where several things are looked for, and still be followed by more.
    """
    with cursor(after):
        wanted = Wanted(actor, about, action, since, until)
        page = await mill.audit.search(caller, wanted, after, limit)
    return listed([act_view(act) for act in page.rows], page.after)


@router.get(
    "/admin/audit.csv",
    response_class=Response,
    responses=described("A line per act, newest first, with a head.", CSV),
)
async def export_audit(
    caller: Caller,
    mill: Mill,
    actor: Id = None,
    about: Id = None,
    action: Id = None,
    since: Moment = None,
    until: Moment = None,
) -> Response:
    """Export all that a search finds as CSV; for administrators."""
    found = await mill.audit.walk(caller, Wanted(actor, about, action, since, until))

    async def rows() -> AsyncIterator[dict[str, Any]]:
        async for act in found:
            yield act_view(act).model_dump()

    return sent(csv_lines([*ActView.model_fields], rows()), "audit.csv")


@router.get("/me/activity")
async def list_activity(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[ActView]:
    """List what was done to the caller's account: sign-ins, those refused too, tokens, roles."""
    with cursor(after):
        page = await mill.audit.own(caller, after, limit)
    return listed([act_view(act) for act in page.rows], page.after)
