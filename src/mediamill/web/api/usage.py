"""Usage: what the caller keeps here, and how much that may be."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from mediamill.store.repositories.daily import Daily, Fate
from mediamill.web.parsing import PROBLEM, After, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Count, Listed, View, listed
from mediamill.web.views.quotas import QuotaView, quota_view

router = APIRouter(prefix="/v1/usage", tags=["usage"], responses=PROBLEM, route_class=StrictRoute)


class UsageView(View):
    bytes: int = Field(
        description="What you keep: files, those in the trash too, unfinished uploads, results, "
        "versions, and annotations of your projects.",
        examples=[734_003_200],
    )
    results_bytes: int = Field(
        description="How much of it is results of jobs.", examples=[94_371_840]
    )
    quota_bytes: int | None = Field(
        description="The most that you may keep; null: as much as there is room for.",
        examples=[10_737_418_240],
    )
    quotas: list[QuotaView] = Field(
        description="Every limit, how much of it is used, and when that is counted anew."
    )


@router.get("")
async def read_usage(caller: Caller, mill: Mill) -> UsageView:
    """Say what the caller keeps, has open and ran this month, and how much each may be."""
    usages = mill.repositories.usages
    usage, limits = await usages.get(caller.user), await usages.limits(caller.user)
    return UsageView(
        bytes=usage.bytes,
        results_bytes=usage.results,
        quota_bytes=limits.bytes,
        quotas=[quota_view(one) for one in await mill.quotas.of(caller.user)],
    )


class DailyView(View):
    """What files came to that are purged by now."""

    day: str = Field(
        description="On which they came in (UTC).",
        examples=["2026-11-21"],
        json_schema_extra={"format": "date"},
    )
    source: str = Field(examples=["stream"])
    media_type: str = Field(examples=["image/jpeg"])
    outcome: Fate = Field(
        description="`failed` where an item of a file failed, else `succeeded` where one was done; "
        "`unprocessed` without any, `rejected` where it was not taken in; `refused`: messages of "
        "the stream that became dead letters."
    )
    files: Count
    bytes: Count
    items: Count = Field(description="Outcomes of items that were made of them, in any stage.")
    results: Count = Field(description="Files that jobs made of them.")
    result_bytes: Count


DayFrom = Annotated[
    str | None, Query(alias="from", max_length=10, description="The first day, 2026-11-21.")
]
DayTo = Annotated[str | None, Query(alias="to", max_length=10, description="The last day.")]


@router.get("/daily")
async def read_daily(
    caller: Caller,
    mill: Mill,
    first: DayFrom = None,
    last: DayTo = None,
    source: Annotated[Literal["stream", "upload", "import"] | None, Query()] = None,
    after: After = None,
    limit: Limit = 20,
) -> Listed[DailyView]:
    """Tell what the caller's purged files came to, by day, source, type and outcome.

    Each file is counted once, as its purge begins; the oldest day comes first. A page may hold few
    rows where a source is chosen, and still be followed by more.
    """
    with cursor(after):
        page = await mill.kept.daily(caller, first, last, source, after, limit)
    return listed([daily_view(row) for row in page.rows], page.after)


def daily_view(row: Daily) -> DailyView:
    return DailyView(
        day=row.day,
        source=row.source,
        media_type=row.media_type,
        outcome=row.outcome,
        files=row.files,
        bytes=row.bytes,
        items=row.items,
        results=row.results,
        result_bytes=row.result_bytes,
    )
