"""The ledger of model calls, what they came to, and budgets."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from mediamill.services.models.spending import MOST
from mediamill.store.repositories.attempts import Attempt
from mediamill.web.parsing import PROBLEM, After, Body, JobId, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.tables import csv_lines, described, json_lines, sent
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.spending import (
    AllowedView,
    AttemptView,
    BudgetView,
    EverybodyView,
    MonthView,
    SpentView,
    UserSpentView,
    allowance_view,
    attempt_view,
    budget_view,
    everybody_view,
    month_view,
    spent_view,
    user_spent_view,
)

router = APIRouter(prefix="/v1", tags=["spending"], responses=PROBLEM, route_class=StrictRoute)

MonthOf = Annotated[
    str | None, Query(max_length=7, description="Like 2026-11 (UTC); this one if left out.")
]
Scope = Annotated[
    str, Path(max_length=100, description="Id of a user, or `everybody`.", examples=["everybody"])
]
Place = Annotated[int | None, Query(ge=0, lt=1 << 31)]
CSV, LINES = "text/csv", "application/jsonl"


# -- the ledger -----------------------------------------------------------------------------------


@router.get("/jobs/{job_id}/attempts")
async def list_attempts(
    job_id: JobId,
    caller: Caller,
    mill: Mill,
    item: Annotated[Place, Query(description="Only those of this item.")] = None,
    stage: Annotated[int, Query(ge=0, le=100, description="The stage of that item.")] = 0,
    after: After = None,
    limit: Limit = 20,
) -> Listed[AttemptView]:
    """List every model call of a job, and every provider that was not called and why."""
    one = None if item is None else (stage, item)
    with cursor(after):
        page = await mill.models.ledger.list(caller, job_id, after, limit, one)
    return listed([attempt_view(row) for row in page.rows], page.after)


@router.get(
    "/jobs/{job_id}/attempts.csv",
    response_class=Response,
    responses=described("A line per call, with a head.", CSV),
)
async def export_attempts_csv(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Export a job's ledger as CSV."""
    rows = _told(await mill.models.ledger.walk(caller, job_id))
    return sent(csv_lines([*AttemptView.model_fields], rows), f"{job_id}-attempts.csv")


@router.get(
    "/jobs/{job_id}/attempts.jsonl",
    response_class=Response,
    responses=described("An `AttemptView` per line.", LINES),
)
async def export_attempts_lines(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Export a job's ledger as JSON lines."""
    rows = _told(await mill.models.ledger.walk(caller, job_id))
    return sent(json_lines(rows), f"{job_id}-attempts.jsonl")


async def _told(rows: AsyncIterator[Attempt]) -> AsyncIterator[dict[str, Any]]:
    async for row in rows:
        yield attempt_view(row).model_dump()


# -- sums -----------------------------------------------------------------------------------------


@router.get("/spending")
async def read_spending(caller: Caller, mill: Mill, month: MonthOf = None) -> MonthView:
    """Tell what the caller's model calls cost in a month and by day, and what is left."""
    return month_view(await mill.models.spending.mine(caller, month))


@router.get("/spending.csv", response_class=Response, responses=described("A line per model.", CSV))
async def export_spending(caller: Caller, mill: Mill, month: MonthOf = None) -> Response:
    """Export what the caller spent in a month, as CSV."""
    mine = await mill.models.spending.mine(caller, month)

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for row in mine.spent:
            yield {"month": mine.month, **spent_view(row).model_dump()}

    columns = ["month", *SpentView.model_fields]
    return sent(csv_lines(columns, rows()), f"spending-{mine.month}.csv")


@router.get("/spending/everybody")
async def read_everybody(caller: Caller, mill: Mill, month: MonthOf = None) -> EverybodyView:
    """Tell what all have spent in a month, and by day; for analysts."""
    return everybody_view(await mill.models.spending.everybody(caller, month))


@router.get("/spending/users")
async def list_users_spending(
    caller: Caller, mill: Mill, month: MonthOf = None, after: After = None, limit: Limit = 20
) -> Listed[UserSpentView]:
    """List what everybody spent in a month, by user and model; for analysts."""
    with cursor(after):
        page = await mill.models.spending.users(caller, month, after, limit)
    return listed([user_spent_view(one) for one in page.rows], page.after)


@router.get(
    "/spending/users.csv",
    response_class=Response,
    responses=described("A line per user and model.", CSV),
)
async def export_users_spending(caller: Caller, mill: Mill, month: MonthOf = None) -> Response:
    """Export what everybody spent in a month, as CSV; for analysts."""
    service = mill.models.spending
    found, chosen = await service.walk_users(caller, month), await service.month(month)

    async def rows() -> AsyncIterator[dict[str, Any]]:
        async for one in found:
            yield {"month": chosen, **user_spent_view(one).model_dump()}

    columns = ["month", "user", "email", "name", *SpentView.model_fields]
    return sent(csv_lines(columns, rows()), f"spending-users-{chosen}.csv")


# -- budgets --------------------------------------------------------------------------------------


class BudgetBody(Body):
    monthly: Annotated[float, Field(ge=0, le=MOST)] | None = Field(
        description="US dollars; null for no limit.", examples=[25]
    )


@router.get("/budgets")
async def list_budgets(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[BudgetView]:
    """List the budgets that do not come from the settings; administrators only."""
    with cursor(after):
        page = await mill.models.spending.budgets(caller, after, limit)
    return listed([budget_view(row) for row in page.rows], page.after)


@router.get("/budgets/{scope}")
async def get_budget(scope: Scope, caller: Caller, mill: Mill) -> AllowedView:
    """Show what bounds a user, or everybody, this month; administrators only."""
    return allowance_view(await mill.models.spending.budget(caller, scope))


@router.put("/budgets/{scope}")
async def set_budget(scope: Scope, body: BudgetBody, caller: Caller, mill: Mill) -> AllowedView:
    """Set what a user, or everybody together, may spend a month; administrators only."""
    return allowance_view(await mill.models.spending.set_budget(caller, scope, body.monthly))


@router.delete("/budgets/{scope}", status_code=204)
async def drop_budget(scope: Scope, caller: Caller, mill: Mill) -> None:
    """Let the settings say again what a user, or everybody, may spend; administrators only."""
    await mill.models.spending.drop_budget(caller, scope)
