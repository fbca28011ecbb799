"""What everybody uses, for analysts and administrators."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from mediamill.web.api.usage import DailyView, DayFrom, DayTo, daily_view
from mediamill.web.parsing import PROBLEM, After, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Count, Listed, View, listed

router = APIRouter(
    prefix="/v1/analytics", tags=["analytics"], responses=PROBLEM, route_class=StrictRoute
)


class UserUsageView(View):
    user: str = Field(examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    email: str
    name: str
    bytes: Count = Field(description="What they keep, as in `/v1/usage`.")
    results_bytes: Count


class OwnedDailyView(DailyView):
    user: str = Field(description="Id of whose files they were.")


@router.get("/users")
async def list_usage(
    caller: Caller,
    mill: Mill,
    search: Annotated[
        str, Query(max_length=100, description="What their address or name begins with.")
    ] = "",
    after: After = None,
    limit: Limit = 20,
) -> Listed[UserUsageView]:
    """List users and how much each keeps; for analysts and administrators."""
    with cursor(after):
        page = await mill.people.analytics.usage(caller, search, after, limit)
    rows = [
        UserUsageView(
            user=user.id,
            email=user.email,
            name=user.name,
            bytes=max(0, kept.bytes),
            results_bytes=max(0, kept.results),
        )
        for user, kept in page.rows
    ]
    return listed(rows, page.after)


@router.get("/daily")
async def list_daily(
    caller: Caller,
    mill: Mill,
    first: DayFrom = None,
    last: DayTo = None,
    after: After = None,
    limit: Limit = 20,
) -> Listed[OwnedDailyView]:
    """Tell what everybody's purged files came to, by day; for analysts and administrators."""
    with cursor(after):
        page = await mill.kept.of_everybody(caller, first, last, after, limit)
    rows = [OwnedDailyView(**daily_view(row).model_dump(), user=row.owner) for row in page.rows]
    return listed(rows, page.after)
