"""What everybody uses, for analysts and administrators."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.services.figures import Answer, Question
from mediamill.store.repositories.figures import About
from mediamill.web.api.usage import DailyView, DayFrom, DayTo, daily_view
from mediamill.web.parsing import PROBLEM, After, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.tables import csv_lines, described, json_lines, sent
from mediamill.web.views.common import Count, Listed, View, listed
from mediamill.web.views.figures import SUMS, AnswerView, GroupView, answer_view, group_view

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


# -- figures --------------------------------------------------------------------------------------

By = Literal["day", "customer", "source", "media_type", "operation", "provider", "model", "status"]
Told = Annotated[list[By], Query(max_length=8, description="What is told apart; given once each.")]
Name = Annotated[str | None, Query(max_length=500, description="Only figures with this.")]


def where(
    customer: Name = None,
    source: Name = None,
    media_type: Name = None,
    operation: Annotated[
        str | None,
        Query(max_length=500, description="Only figures of this, also where others ran with it."),
    ] = None,
    provider: Name = None,
    model: Name = None,
    status: Name = None,
) -> dict[str, str]:
    """Return the names that figures are to have."""
    wanted = {
        "customer": customer, "source": source, "media_type": media_type, "operation": operation,
        "provider": provider, "model": model, "status": status,
    }  # fmt: skip
    return {name: value for name, value in wanted.items() if value is not None}


Where = Annotated[dict[str, str], Depends(where)]


@router.get("/summary")
async def read_summary(
    caller: Caller,
    mill: Mill,
    wanted: Where,
    about: About = About.ITEMS,
    by: Told = [],  # noqa: B006 - FastAPI copies it
    first: DayFrom = None,
    last: DayTo = None,
) -> AnswerView:
    """Sum figures of some days, the last 30 if none are named; for analysts."""
    return answer_view(await answered(mill, caller, about, (*by,), wanted, first, last))


@router.get("/series")
async def read_series(
    caller: Caller,
    mill: Mill,
    wanted: Where,
    about: About = About.ITEMS,
    by: Told = [],  # noqa: B006 - FastAPI copies it
    first: DayFrom = None,
    last: DayTo = None,
) -> AnswerView:
    """Sum figures by day; days on which nothing was are left out. For analysts."""
    names = ("day", *by)
    return answer_view(await answered(mill, caller, about, names, wanted, first, last))


@router.get(
    "/summary.csv", response_class=Response, responses=described("A line per group.", "text/csv")
)
async def export_summary(
    caller: Caller,
    mill: Mill,
    wanted: Where,
    about: About = About.ITEMS,
    by: Told = [],  # noqa: B006 - FastAPI copies it
    first: DayFrom = None,
    last: DayTo = None,
) -> Response:
    """Export such sums as CSV; for analysts."""
    answer = await answered(mill, caller, about, (*by,), wanted, first, last)
    names = [*answer.question.by]
    columns = [*names, *(name for name in GroupView.model_fields if name in SUMS)]

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for group in answer.groups:
            yield group_view(group).model_dump()

    question = answer.question
    name = f"{about.value}-{question.first}-{question.last}.csv"
    return sent(csv_lines(columns, rows()), name)


@router.get(
    "/figures.jsonl",
    response_class=Response,
    responses=described("A row per line, as in the exported tables.", "application/jsonl"),
)
async def export_figures(
    caller: Caller, mill: Mill, first: DayFrom = None, last: DayTo = None
) -> Response:
    """Export all figures of some days; for analysts."""
    days = await mill.figures.period(caller, first, last)
    rows = await mill.figures.rows(caller, *days)
    return sent(json_lines(rows), f"figures-{days[0]}-{days[1]}.jsonl")


async def answered(
    mill: App,
    caller: Principal,
    about: About,
    by: tuple[str, ...],
    wanted: Mapping[str, str],
    first: str | None,
    last: str | None,
) -> Answer:
    """Ask for figures; raises as `FigureService`."""
    days = await mill.figures.period(caller, first, last)
    names = tuple(dict.fromkeys(by))
    return await mill.figures.ask(caller, Question(about, *days, names, wanted))
