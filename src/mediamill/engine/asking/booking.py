"""Close purses, and tell people how much of a month's budget is spent: once for each part.

What tells them, a unit of kind `budget`, is inserted in the transaction that books the spending by
which a part is passed. That transaction holds only while no other claim has booked so much that the
next part would be passed unnoticed. So nothing is lost, and nothing told twice, whatever dies.

    close ──▶ budget ──▶ mail_budget, publish, deliver (handlers/telling)
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.core.errors import ConditionFailed
from mediamill.engine.announcing import EVENT, budget_event
from mediamill.store.port import Absent, Put
from mediamill.store.repositories.figures import Fact, Figures
from mediamill.store.repositories.spending import (
    EVERYBODY,
    Account,
    BudgetNotice,
    Limit,
    Purse,
    Spending,
    Spent,
)
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

KIND = "budget"
"""Of units that tell it; their payload has `budget`, the fields of a `BudgetNews`."""
NEAR, REACHED = 80, 100
"""Percents of a budget of which people are told."""
PARTS = (NEAR, REACHED)
TRIES = 50


@dataclass(frozen=True)
class Budgets:
    """The most that may be spent, in micro-dollars; None for no limit."""

    job: int | None = None
    owner: int | None = None
    """Of the job's owner in a month."""
    everybody: int | None = None
    """Of all in a month."""

    def limits(self, purse: Purse) -> list[Limit]:
        """Return them as limits of the accounts of a purse."""
        known = (
            (self.job, purse.job, "", "the job's budget"),
            (self.owner, purse.owner, purse.month, "the owner's budget for the month"),
            (self.everybody, EVERYBODY, purse.month, "the budget of all for the month"),
        )
        return [Limit(scope, month, most, name) for most, scope, month, name in known
                if most is not None]  # fmt: skip

    @property
    def bounded(self) -> bool:
        return any(most is not None for most in (self.job, self.owner, self.everybody))


@dataclass(frozen=True)
class BudgetNews:
    """How much of a budget is spent, as people are told; amounts are micro-dollars."""

    scope: str
    """Id of a user, or `everybody`."""
    month: str
    most: int
    percent: int
    """The part that is passed."""
    spent: int
    wanted: int = 0
    """What a call may have cost for which not enough was left; 0 where none was refused."""

    def notice(self, now: int) -> BudgetNotice:
        """Return the row that says that it was told."""
        return BudgetNotice(
            scope=self.scope, month=self.month, most=self.most, percent=self.percent, created=now
        )

    def unit(self, now: int) -> Unit:
        """Make the unit that tells it."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        group = f"{KIND}:{self.scope}:{self.month}:{self.most}:{self.percent}"
        name = "budget.reached" if self.percent >= REACHED else "budget.near"
        told: dict[str, Any] = {"budget": fields, EVENT: budget_event(name, fields, now)}
        return Unit.notice(KIND, group, 0, self.scope, now=now, **told)


@dataclass
class Booking:
    """Books what claims have spent."""

    spending: Spending
    budgets_of: Callable[[str], Awaitable[Budgets]]
    """Tells what bounds a user's calls now."""

    def __post_init__(self) -> None:
        self.store, self.units = self.spending.store, Units(self.spending.store)
        self.figures = Figures(self.store)

    async def close(self, purse: Purse, spent: Sequence[Spent], calls: Sequence[Fact] = ()) -> bool:
        """Book what a purse's calls came to, and give the rest back; False if that was done.

        `calls` are the same in figures. Who has a budget of which a part is passed by it is told.
        """
        cost, limits = sum(row.cost for row in spent), await self._limits(purse)
        for _ in range(TRIES):
            now, news, under = await self.store.now(), list[BudgetNews](), dict[str, int]()
            for limit in limits:
                after = cost + await self._spent(limit)
                if (passed := _passed(limit.most, after)) and not await self._told(limit, passed):
                    news.append(BudgetNews(limit.scope, limit.month, limit.most, passed, after))
                if beyond := [part for part in PARTS if part > passed]:
                    under[limit.scope] = _place(limit.most, beyond[0]) - 1 - cost
            closing = await self.spending.closing(purse, spent, under)
            closing += await self.figures.counting(purse.owner, calls)
            try:
                await self._tell(news, now, *closing)
            except ConditionFailed as error:
                if error.action == 0:
                    return False
                continue  # others have booked meanwhile
            return True
        log.warning("a purse is left open", action="purse_contended", job=purse.job)
        return False

    async def refused(self, limit: Limit, wanted: int, unbooked: int) -> None:
        """Tell that a call was refused, if that is for what was spent of a month's budget.

        It is not if it would be paid once others give back what they hold, or not by a whole
        budget. `wanted` is the most that the call may cost, `unbooked` what its claim has spent.
        """
        spent = unbooked + await self._spent(limit)
        if not limit.month or not limit.most - spent < wanted <= limit.most:
            return
        if not await self._told(limit, REACHED):
            news = BudgetNews(limit.scope, limit.month, limit.most, REACHED, spent, wanted)
            try:
                await self._tell([news], await self.store.now())
            except ConditionFailed:
                return  # another has told it

    async def _tell(self, news: Sequence[BudgetNews], now: int, *others: Any) -> None:
        """Write the other actions, and that news are told, with the units that tell them."""
        noted = [Put(one.notice(now), when=(Absent(),)) for one in news]
        await self.units.insert([one.unit(now) for one in news], *others, *noted)
        for one in news:
            log.info("budget", action="budget_passed", scope=one.scope, month=one.month,
                     most=one.most, percent=one.percent, spent=one.spent)  # fmt: skip

    async def _limits(self, purse: Purse) -> list[Limit]:
        """Return the limits of a purse's accounts of the month."""
        budgets = await self.budgets_of(purse.owner)
        return [limit for limit in budgets.limits(purse) if limit.scope in purse.bounded]

    async def _spent(self, limit: Limit) -> int:
        account = await self.store.get(Account, limit.scope, limit.month)
        return account.spent if account else 0

    async def _told(self, limit: Limit, percent: int) -> bool:
        """Tell whether people were told of that part of a budget, or of a larger one."""
        parts = [part for part in PARTS if part >= percent]
        keys = [(limit.scope, limit.month, limit.most, part) for part in parts]
        return any(row is not None for row in await self.store.get_many(BudgetNotice, keys))


def _place(most: int, percent: int) -> int:
    """Return the sum at which a part of a budget is passed; of none, nothing is."""
    return max(1, -(-most * percent // 100))


def _passed(most: int, spent: int) -> int:
    """Return the largest part of a budget that is passed, 0 for none."""
    return max((part for part in PARTS if spent >= _place(most, part)), default=0)
