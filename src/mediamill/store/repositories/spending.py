"""Spending: what model calls may cost and have cost, per job, owner and month.

Money moves in two steps. A claim of a unit takes an allotment out of every account that bounds it,
in one transaction that fails where one has not so much left; from it the calls of the claim are
reserved, each with the most that it can cost. When the claim ends, or is found dead, its purse is
closed: what its calls did not cost goes back, what they did is booked. So an account never has
more taken out than its limit, whatever dies; and only a few writes touch it. Sums by month and by
day are booked in that same transaction, on the day of the claim, so they always agree.

All amounts are micro-dollars, whole numbers.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from mediamill.core.errors import BudgetExceeded, ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import (
    Absent,
    Action,
    AtMost,
    Delete,
    Equals,
    Page,
    Put,
    Store,
    Update,
    key_index,
)

MICRO = 1_000_000
"""Micro-dollars of a dollar."""
EVERYBODY = "everybody"


def day_of(time_ms: int) -> str:
    """Return the day of a time, `2026-11-22`, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def month_of(time_ms: int) -> str:
    """Return the month of a time, `2026-11`, UTC."""
    return day_of(time_ms)[:7]


class Account(Record, frozen=True, kw_only=True):
    """What was taken out for one job, or for one owner, or everybody, in a month."""

    table = "accounts"
    key = Key("scope", "month")

    scope: str
    """Id of a job or a user, or `everybody`."""
    month: str
    """`2026-11`; empty for a job."""
    taken: int = 0
    """Booked, and allotted to claims that go on."""
    spent: int = 0
    """Of it, booked: what only ever grows."""


class Purse(Record, frozen=True, kw_only=True):
    """What one claim of a unit has been allotted."""

    table = "purses"
    key = Key("job", "unit", "fence")
    indexes = (Index("purse_open", ("open",), ("created", "job", "unit", "fence"), shards=2),)

    job: str
    unit: int
    """Sequence number of the unit."""
    fence: int
    owner: str
    day: str
    """Of the claim, `2026-11-22`, UTC: its calls are booked on it."""
    bounded: tuple[str, ...]
    """Scopes of the accounts that it is taken from."""
    allotted: int = 0
    created: int
    open: str = "open"

    @property
    def month(self) -> str:
        return self.day[:7]


class Spent(Record, frozen=True, kw_only=True):
    """What an owner, or a job, has spent with one model for one operation in a month."""

    table = "spent"
    key = Key("owner", "month", "operation", "provider", "model")
    indexes = (
        Index("spent_month", ("month",), ("owner", "operation", "provider", "model"), shards=2),
    )

    owner: str
    """Id of a user, or of a job."""
    month: str
    """`2026-11`; empty for a job."""
    operation: str
    provider: str
    model: str
    calls: int = 0
    failed: int = 0
    """Of the calls, those that gave nothing that would do."""
    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    cost: int = 0


class SpentDay(Record, frozen=True, kw_only=True):
    """What an owner, or everybody, has spent on a day."""

    table = "spent_days"
    key = Key("scope", "day")

    scope: str
    """Id of a user, or `everybody`."""
    day: str
    """`2026-11-22`, UTC."""
    calls: int = 0
    failed: int = 0
    cost: int = 0


class BudgetNotice(Record, frozen=True, kw_only=True):
    """Says that people were told how much of a month's budget is spent: once for each part."""

    table = "budget_notices"
    key = Key("scope", "month", "most", "percent")

    scope: str
    """Id of a user, or `everybody`."""
    month: str
    most: int
    """The budget: another one is told of anew."""
    percent: int
    created: int


@dataclass(frozen=True)
class Limit:
    """An account and the most that may be taken out of it."""

    scope: str
    month: str
    most: int
    name: str
    """What people call it, such as “the job's budget”."""


class Spending:
    """Reads of what was spent, and the moves of money."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def taken(self, scope: str, month: str = "") -> int:
        """Return what was taken out of an account."""
        account = await self.store.get(Account, scope, month)
        return 0 if account is None else account.taken

    async def of_month(
        self, owner: str, month: str, after: str | None = None, limit: int = 100
    ) -> Page[Spent]:
        """List what an owner spent in a month, by operation and model."""
        return await self.store.query(
            Spent, key_index(Spent), owner, at_least=month, at_most=month, after=after, limit=limit
        )

    async def all_of(self, owner: str, month: str = "") -> list[Spent]:
        """Return all that an owner spent in a month, or all that a job cost."""
        found, after = list[Spent](), None
        while True:
            page = await self.of_month(owner, month, after)
            found += page.rows
            if (after := page.after) is None:
                return found

    async def days(self, scope: str, month: str) -> Sequence[SpentDay]:
        """Return what an owner, or `everybody`, spent on each day of a month with calls."""
        page = await self.store.query(
            SpentDay, key_index(SpentDay), scope, at_least=f"{month}-01", at_most=f"{month}-31"
        )
        return page.rows

    async def of_everybody(
        self, month: str, after: str | None = None, limit: int = 100
    ) -> Page[Spent]:
        """List what everybody spent in a month, by owner."""
        index = Spent.index("spent_month")
        return await self.store.query(Spent, index, month, after=after, limit=limit)

    async def allot(
        self, purse: Purse, more: int, limits: Sequence[Limit], *, new: bool = False
    ) -> Purse:
        """Take money out of a purse's accounts and return the purse with it; `new`: begin it.

        Raises `BudgetExceeded` where a limit has not so much left, and `ConditionFailed` where the
        purse was closed by another.
        """
        for scope in purse.bounded:
            await self._begin(scope, self._month(scope, purse))
        most = {(one.scope, one.month): one for one in limits}
        taking = list[Action]()
        for scope in purse.bounded:
            key = scope, self._month(scope, purse)
            limit = most.get(key)
            when = (AtMost("taken", limit.most - more),) if limit else ()
            taking.append(Update(Account, key, add={"taken": more}, when=when))
        kept: Action = Update(Purse, purse.key_values(), add={"allotted": more})
        if new:
            kept = Put(purse.evolve(allotted=more), when=(Absent(),))
        try:
            await self.store.transact(*taking, kept)
        except ConditionFailed as error:
            if error.action is None or error.action >= len(taking):
                raise
            refused = most[purse.bounded[error.action], self._month_at(error.action, purse)]
            left = refused.most - await self.taken(refused.scope, refused.month)
            raise too_dear(more, refused, left) from error
        return purse.evolve(allotted=purse.allotted + more)

    async def close(self, purse: Purse, spent: Sequence[Spent]) -> bool:
        """Book what a purse's calls came to, and give the rest back; False if that was done."""
        try:
            await self.store.transact(*await self.closing(purse, spent))
        except ConditionFailed:
            return False
        return True

    async def closing(
        self, purse: Purse, spent: Sequence[Spent], under: Mapping[str, int] | None = None
    ) -> list[Action]:
        """Make the actions that close a purse; the first fails if another has closed it.

        It is booked for the owner's month and day, everybody's day, and for the job. They hold
        only while what each scope of `under` has spent so far is at most so much.
        """
        cost, under = sum(row.cost for row in spent), under or {}
        given = [
            Update(
                Account,
                (scope, self._month(scope, purse)),
                add={"taken": cost - purse.allotted, "spent": cost},
                when=(AtMost("spent", under[scope]),) if scope in under else (),
            )
            for scope in purse.bounded
        ]
        rows: list[Spent | SpentDay] = [*spent, *_days(purse, spent)]
        if purse.job in purse.bounded:
            rows += [row.evolve(owner=purse.job, month="") for row in spent]
        await self._open(rows)
        booked = [Update(type(row), row.key_values(), add=_counts(row)) for row in rows]
        gone = Delete(Purse, purse.key_values(), when=(Equals("allotted", purse.allotted),))
        return [gone, *given, *booked]

    async def _open(self, rows: Sequence[Spent | SpentDay]) -> None:
        """See to it that there are rows to count in."""
        for kind in (Spent, SpentDay):
            some = [row for row in rows if isinstance(row, kind)]
            keys = [row.key_values() for row in some]
            found = await self.store.get_many(kind, keys) if keys else []
            for row, known in zip(some, found, strict=True):
                if known is None:
                    with suppress(ConditionFailed):  # another was first
                        await self.store.transact(Put(_blank(row), when=(Absent(),)))

    async def purses(self, job: str, unit: int | None = None) -> AsyncIterator[Purse]:
        """Visit the open purses of a job, or of one of its units."""
        after: str | None = None
        while True:
            page = await self.store.query(
                Purse, key_index(Purse), job, at_least=unit, at_most=unit, after=after
            )
            for purse in page.rows:
                yield purse
            if (after := page.after) is None:
                return

    async def open_purses(self, before: int, limit: int = 100) -> AsyncIterator[Purse]:
        """Visit open purses that were begun before a time (ms), the oldest first.

        So many are read at a time; those that are visited may be closed meanwhile.
        """
        index, after = Purse.index("purse_open"), None
        while True:
            page = await self.store.query(
                Purse, index, "open", at_most=before, after=after, limit=limit
            )
            for purse in page.rows:
                yield purse
            if (after := page.after) is None:
                return

    async def _begin(self, scope: str, month: str) -> None:
        if await self.store.get(Account, scope, month) is None:
            with suppress(ConditionFailed):  # another was first
                account = Account(scope=scope, month=month)
                await self.store.transact(Put(account, when=(Absent(),)))

    def _month(self, scope: str, purse: Purse) -> str:
        return "" if scope == purse.job else purse.month

    def _month_at(self, place: int, purse: Purse) -> str:
        return self._month(purse.bounded[place], purse)


def too_dear(cost: int, limit: Limit, left: int) -> BudgetExceeded:
    """Say that a call may cost more than is left of a limit."""
    return BudgetExceeded(
        f"This call may cost {dollars(cost)}, and {limit.name} of {dollars(limit.most)} has "
        f"{dollars(left)} left.",
        budget=limit.name,
        left=left,
    )


def dollars(micro: int) -> str:
    """Write an amount, as exactly as it is."""
    text = f"{micro / MICRO:,.6f}".rstrip("0")
    whole, _, parts = text.partition(".")
    return f"${whole}.{parts:0<2}"


def _days(purse: Purse, spent: Sequence[Spent]) -> list[SpentDay]:
    """Sum what a purse's calls came to for the day of all whose month it belongs to."""
    if not spent:
        return []
    calls, failed = sum(row.calls for row in spent), sum(row.failed for row in spent)
    cost = sum(row.cost for row in spent)
    return [
        SpentDay(scope=scope, day=purse.day, calls=calls, failed=failed, cost=cost)
        for scope in purse.bounded
        if scope != purse.job
    ]


COUNTS = ("calls", "failed", "input_tokens", "output_tokens", "images", "cost")


def _counts(row: Spent | SpentDay) -> dict[str, int | float]:
    return {name: getattr(row, name) for name in COUNTS if hasattr(row, name)}


def _blank(row: Spent | SpentDay) -> Spent | SpentDay:
    return row.evolve(**dict.fromkeys(_counts(row), 0))
