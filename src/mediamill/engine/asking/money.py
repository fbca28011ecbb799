"""The money of one claim of a unit: taken from the accounts in portions, reserved call by call.

Nothing is called that is not paid for in the worst case beforehand, so a budget is never exceeded.
Where it does not suffice while other calls of the claim are under way, one waits for what they give
back. Amounts are micro-dollars.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mediamill.core.errors import BudgetExceeded
from mediamill.engine.asking.booking import Booking, Budgets
from mediamill.engine.asking.meter import Meter
from mediamill.store.repositories.attempts import Attempt, AttemptState
from mediamill.store.repositories.figures import About, Fact, took
from mediamill.store.repositories.spending import Limit, Purse, Spending, Spent, too_dear

PORTION = 16
"""Calls for which money is taken out of the accounts together, where there is plenty."""


@dataclass
class Sums:
    """What calls came to."""

    facts: list[Fact] = field(default_factory=list)
    """Each as figures have it."""
    _spent: dict[tuple[str, str, str], Spent] = field(default_factory=dict)

    @property
    def spent(self) -> list[Spent]:
        """The sums by operation, provider and model."""
        return [*self._spent.values()]

    def add(self, row: Attempt) -> None:
        """Count an attempt, if anybody was called."""
        if not row.called:
            return
        key = row.operation, row.provider, row.model
        known = self._spent.get(key) or Spent(
            owner=row.owner, month=row.month, operation=row.operation, provider=row.provider,
            model=row.model,
        )  # fmt: skip
        self._spent[key] = known.evolve(
            calls=known.calls + 1,
            failed=known.failed + row.failed,
            input_tokens=known.input_tokens + row.input_tokens,
            output_tokens=known.output_tokens + row.output_tokens,
            images=known.images + row.images,
            cost=known.cost + row.cost,
        )
        self.facts.append(call_fact(row))


def call_fact(row: Attempt) -> Fact:
    """Return a call as figures have it; how long one took whose end is not known is not told."""
    known = row.state is not AttemptState.UNKNOWN
    return Fact(
        about=About.CALLS,
        day=row.day,
        status="failed" if row.failed else "answered",
        operation=row.operation,
        provider=row.provider,
        model=row.model,
        counts={
            "count": 1,
            **(took(row.milliseconds) if known else {}),
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "images": row.images,
            "cost": row.cost,
        },
    )


@dataclass
class Money:
    """What a claim has, and what is reserved of it."""

    booking: Booking
    purse: Purse
    budgets: Budgets
    reserved: int = 0
    """For calls that are under way, and spent by those that ended."""
    under_way: int = 0
    meter: Meter | None = None
    """Told of every call that has ended."""
    doubted: bool = False
    """The row of a call may say more of it than is known here."""
    _begun: bool = False
    _sums: Sums = field(default_factory=Sums)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _given_back: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def spending(self) -> Spending:
        return self.booking.spending

    async def reserve_call(self, worst: int) -> None:
        """Reserve the most that a call can cost, as `reserve`; people are told of a refusal."""
        try:
            await self.reserve(worst)
        except BudgetExceeded as refused:
            limits = {limit.name: limit for limit in self.budgets.limits(self.purse)}
            await self.booking.refused(limits[refused.details["budget"]], worst, self.reserved)
            raise

    async def reserve(self, worst: int) -> None:
        """Reserve the most that calls can cost; raises `BudgetExceeded`."""
        async with self._lock:
            while not self._begun or self.reserved + worst > self.purse.allotted:
                self._given_back.clear()
                try:
                    await self._allot(worst)
                except BudgetExceeded as refused:
                    if not self.under_way and not self._given_back.is_set():
                        raise self._told(refused, worst) from None
                    await self._given_back.wait()
            self.reserved += worst
            self.under_way += 1

    def _told(self, refused: BudgetExceeded, worst: int) -> BudgetExceeded:
        """Say it of the whole call: what this claim was allotted and has not spent is left too."""
        limits = {limit.name: limit for limit in self.budgets.limits(self.purse)}
        spare = self.purse.allotted - self.reserved
        return too_dear(worst, limits[refused.details["budget"]], refused.details["left"] + spare)

    async def _allot(self, worst: int) -> None:
        """Take out enough for the call, and for some more where no limit is near."""
        lacking = self.reserved + worst - self.purse.allotted
        limits = self.budgets.limits(self.purse)
        if not limits or await self._plenty(limits, PORTION * worst):
            with suppress(BudgetExceeded):
                await self._take(lacking + (PORTION - 1) * worst, limits)
                return
        await self._take(lacking, limits)

    async def _take(self, more: int, limits: Sequence[Limit]) -> None:
        new = not self._begun
        self.purse = await self.spending.allot(self.purse, more, limits, new=new)
        self._begun = True

    async def _plenty(self, limits: Sequence[Limit], portion: int) -> bool:
        for limit in limits:
            taken = await self.spending.taken(limit.scope, limit.month)
            if limit.most - taken < 4 * portion:
                return False
        return True

    def settle(self, *rows: Attempt) -> None:
        """Take what calls cost for what was reserved for them, together if they are several."""
        for row in rows:
            if self.meter is not None:
                self.meter.count(row)
            self._sums.add(row)
        self.release(sum(row.reserved - row.cost for row in rows))

    def release(self, back: int) -> None:
        """Give back what a call that is over did not need."""
        self.reserved -= back
        self.under_way -= 1
        self._given_back.set()

    def doubt(self) -> None:
        """End a call of which its row may say more than is known here: it stays reserved."""
        self.doubted = True
        self.release(0)

    async def close(self) -> None:
        """Book what was spent, and give the rest back.

        Where the rows of calls may say more the purse is left open, and closed by what they say
        (`settle_dead`).
        """
        if self._begun and not self.under_way and not self.doubted:
            await self.booking.close(self.purse, self._sums.spent, self._sums.facts)
