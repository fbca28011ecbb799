"""The page on which everybody sees what their model calls cost, administrators of all."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.engine.asking.booking import NEAR
from mediamill.services.models.spending import UserSpent
from mediamill.services.roles import analyses
from mediamill.store.repositories.spending import Spent
from mediamill.web.pages.days import charted
from mediamill.web.pages.rendering import page
from mediamill.web.security import Caller, Mill

router = APIRouter(include_in_schema=False)

MOST_USERS = 500
"""Sums of users that the page shows; the CSV has them all."""


@router.get("/spending")
async def spending_page(
    caller: Caller, mill: Mill, month: Annotated[str | None, Query(max_length=7)] = None
) -> Response:
    """Show a month's spending, and what is left."""
    service = mill.models.spending
    mine = await service.mine(caller, month)
    now = await service.month(None)
    return page(
        "spending.html",
        user=await mill.accounts.profile(caller),
        mine=mine,
        month=mine.month,
        now=now,
        before=_shifted(mine.month, -1),
        after=_shifted(mine.month, 1) if mine.month < now else None,
        near=NEAR,
        chart=charted(mine.month, mine.days),
        by_operation=_summed(mine.spent, "operation"),
        by_provider=_summed(mine.spent, "provider"),
        **await _everybody(mill, caller, mine.month),
    )


async def _everybody(mill: App, caller: Principal, month: str) -> dict[str, Any]:
    """Return what analysts and administrators see of others."""
    if not analyses(caller):
        return {"everybody": None, "all_chart": None, "users": [], "more_users": False}
    service = mill.models.spending
    found, more = list[UserSpent](), False
    async for one in await service.walk_users(caller, month):
        if len(found) == MOST_USERS:
            more = True
            break
        found.append(one)
    users = dict[str, dict[str, Any]]()
    for one in found:
        row = users.setdefault(one.spent.owner, {"user": one.user, "id": one.spent.owner,
                                                 "calls": 0, "failed": 0, "cost": 0})  # fmt: skip
        for name in ("calls", "failed", "cost"):
            row[name] += getattr(one.spent, name)
    allowances = await service.allowances([*users], month)
    for row in users.values():
        row["allowance"] = allowances[row["id"]]
    everybody = await service.everybody(caller, month)
    by_cost = sorted(users.values(), key=lambda row: -row["cost"])
    return {
        "everybody": everybody.allowance, "all_chart": charted(month, everybody.days),
        "users": by_cost, "more_users": more,
    }  # fmt: skip


def _summed(rows: Iterable[Spent], field: str) -> list[tuple[str, int]]:
    """Return costs by a field, the largest first."""
    sums = dict[str, int]()
    for row in rows:
        name = getattr(row, field)
        sums[name] = sums.get(name, 0) + row.cost
    return sorted(sums.items(), key=lambda one: -one[1])


def _shifted(month: str, by: int) -> str:
    year, place = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + by, 12)
    return f"{year:04}-{place + 1:02}"
