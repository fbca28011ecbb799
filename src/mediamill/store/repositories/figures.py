"""Figures: what was done, by day, as sums that outlive what they were counted from.

A row counts what happened on one day in one way: how many files of a type came in by one way, how
many items an operation ran and what became of them. It names nobody; the most that it says of whose
it was is the customer, a label that administrators give to accounts.

Each fact is counted in the transaction that makes it so: the file's row, the sum of a unit into its
job, the end of a job, the booking of a claim's calls. So each is counted once, whatever dies, and
nothing can be removed that is not counted. Where writers of one row hinder each other the sums of a
day lie in several rows, of which each writer takes any (`spread`); they are folded into one when
the day is some days old.
"""

import hashlib
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Key, Record
from mediamill.store.port import (
    MAX_PAGE,
    Absent,
    Delete,
    Equals,
    Put,
    Store,
    Update,
    key_index,
    spread,
)
from mediamill.store.repositories.daily import LAST, day_of
from mediamill.store.repositories.users import User

KNOWN_SECONDS = 10.0
"""How long the customer of an account is not looked up again."""
THERE_SECONDS = 600.0
"""For so long nobody looks again whether a row is there; only a restored database lacks it."""
MOST_KNOWN = 10_000
"""Rows, and customers, that are remembered."""
OPEN_DAYS = 2
"""For so long, and an hour, rows of a day are not folded: they are remembered as there."""

BOUNDS = (
    100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000,
    30_000_000, 100_000_000,
)  # fmt: skip
"""Milliseconds: a row counts how many took at most so long (`UNDER`)."""
UNDER = tuple(f"under_{one // 1000}s" if one >= 1000 else f"under_{one}ms" for one in BOUNDS)


class About(StrEnum):
    """What a row counts."""

    FILES = "files"
    """Files that came in, on the day on which they began to."""
    REMOVED = "removed"
    """Files that are removed for good."""
    ITEMS = "items"
    """Outcomes of jobs' items, on the day on which their unit ended."""
    JOBS = "jobs"
    """Ends of jobs; one that is retried has several."""
    CALLS = "calls"
    """Calls of models, on the day on which they are booked."""


COUNTED = {
    About.FILES: ("count", "bytes"),
    About.REMOVED: ("count", "bytes"),
    About.ITEMS: (
        "count", "bytes", "results", "result_bytes", "timed", "milliseconds", *UNDER,
    ),
    About.JOBS: ("count", "items", "timed", "milliseconds", *UNDER),
    About.CALLS: (
        "count", "timed", "milliseconds", *UNDER, "input_tokens", "output_tokens", "images", "cost",
    ),
}  # fmt: skip
"""What rows of each kind count; the rest of them is 0."""

NAMED = ("customer", "source", "media_type", "operation", "provider", "model", "status")
"""By what rows are told apart, beside their day and what they count."""
MEASURES = (
    "count", "bytes", "items", "results", "result_bytes", "timed", "milliseconds", *UNDER,
    "input_tokens", "output_tokens", "images", "cost",
)  # fmt: skip


class Figure(Record, frozen=True, kw_only=True):
    """What happened on a day, in one way; one of several rows of it where those are spread."""

    table = "figures"
    key = Key("month", "id", shards=8)

    month: str
    """`2026-11`, UTC."""
    id: str
    """`{day}|{about}|{digest of its names}|{slot}`."""
    day: str
    about: About
    slot: int = 0
    turn: int = 0
    """Grows with every change."""
    customer: str = ""
    source: str = ""
    media_type: str = ""
    operation: str = ""
    """The steps that ran together, as `resize+flip`."""
    provider: str = ""
    model: str = ""
    status: str = ""
    count: int = 0
    bytes: int = 0
    """Of files that came in, were removed, or were items' inputs."""
    items: int = 0
    """Of jobs that ended."""
    results: int = 0
    """Files that were made."""
    result_bytes: int = 0
    timed: int = 0
    """Of how many it is known how long they took."""
    milliseconds: int = 0
    """How long those took together."""
    under_100ms: int = 0
    """How many of them took at most so long; so the others."""
    under_300ms: int = 0
    under_1s: int = 0
    under_3s: int = 0
    under_10s: int = 0
    under_30s: int = 0
    under_100s: int = 0
    under_300s: int = 0
    under_1000s: int = 0
    under_3000s: int = 0
    under_10000s: int = 0
    under_30000s: int = 0
    under_100000s: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    cost: int = 0
    """Micro-dollars."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that happened, once or several times alike; the fields are those of `Figure`."""

    about: About
    day: str
    status: str
    source: str = ""
    media_type: str = ""
    operation: str = ""
    provider: str = ""
    model: str = ""
    counts: dict[str, int] = field(default_factory=lambda: {"count": 1})


def took(milliseconds: int) -> dict[str, int]:
    """Return what is counted of something that took so long."""
    under = {name: int(milliseconds <= most) for name, most in zip(UNDER, BOUNDS, strict=True)}
    return {"timed": 1, "milliseconds": milliseconds, **under}


class Figures:
    """Reads of figures, and the actions that count."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._there: dict[tuple[str, str], float] = {}
        """Rows of today and yesterday, which nobody removes, and until when they need no look."""
        self._customers: dict[str, tuple[float, str]] = {}

    async def counting(self, owner: str | None, facts: Iterable[Fact]) -> list[Update]:
        """Make the actions that count facts of one owner, one for each row, which is there then.

        They do not fail for what others count. Only a row of a day that is days old may be folded
        meanwhile: then `ConditionFailed` says so, and they are to be made again.
        """
        return await self.counting_all((owner, fact) for fact in facts)

    async def counting_all(self, facts: Iterable[tuple[str | None, Fact]]) -> list[Update]:
        """Make the actions that count facts of several owners, as `counting` does."""
        rows: dict[tuple[str, str], Figure] = {}
        sums: dict[tuple[str, str], dict[str, int | float]] = {}
        slot = random.randrange(spread(self.store))  # noqa: S311 - to spread writes, no secret
        for owner, fact in facts:
            row = _row(fact, await self._customer(owner), slot)
            key = row.month, row.id
            rows.setdefault(key, row)
            counted = sums.setdefault(key, {"turn": 1, **dict.fromkeys(COUNTED[fact.about], 0)})
            for name, more in fact.counts.items():
                counted[name] += more
        await self._begin(rows)
        return [Update(Figure, key, add=sums[key]) for key in sorted(rows)]

    def forget(self, counting: Iterable[Update]) -> None:
        """Look again, before the next that counts, whether the rows of such actions are there.

        One that is remembered may be gone: the database was set back beneath this process.
        """
        for action in counting:
            month, id_ = action.key
            self._there.pop((month, id_), None)

    async def walk(self, first: str, last: str) -> AsyncIterator[Figure]:
        """Visit the rows of the days `first … last`, oldest day first."""
        for month in months(first, last):
            after: str | None = None
            while True:
                page = await self.store.query(
                    Figure, key_index(Figure), month, at_least=first, at_most=last + LAST,
                    after=after, limit=MAX_PAGE,
                )  # fmt: skip
                for row in page.rows:
                    yield row
                if (after := page.after) is None:
                    break

    async def fold(self, first: str, last: str) -> int:
        """Make one row of those that differ in their slot alone; return how many went."""
        gone, group = 0, list[Figure]()
        async for row in self.walk(first, last):
            if group and not _alike(group[0], row):
                gone += await self._fold(group)
                group = []
            group.append(row)
        return gone + (await self._fold(group) if group else 0)

    async def _fold(self, group: Sequence[Figure]) -> int:
        """Fold rows into the first of them, unless one changes just now: that only costs rows."""
        kept, *others = group
        if not others:
            return 0
        more: dict[str, int | float] = {
            name: sum(getattr(row, name) for row in others) for name in ("turn", *MEASURES)
        }
        gone = [Delete(Figure, one.key_values(), (Equals("turn", one.turn),)) for one in others]
        try:
            await self.store.transact(Update(Figure, kept.key_values(), add=more), *gone)
        except ConditionFailed:
            return 0
        return len(gone)

    async def _customer(self, owner: str | None) -> str:
        until, found = self._customers.get(owner or "", (0.0, ""))
        if not owner or until > time.monotonic():
            return found
        user = await self.store.get(User, owner)
        if len(self._customers) >= MOST_KNOWN:
            self._customers.clear()
        found = user.customer if user else ""
        self._customers[owner] = (time.monotonic() + KNOWN_SECONDS, found)
        return found

    async def _begin(self, rows: dict[tuple[str, str], Figure]) -> None:
        """See to it that rows are there."""
        clock = time.monotonic()
        unsure = [key for key in rows if self._there.get(key, 0.0) < clock]
        if not unsure:
            return
        found: list[Figure | None] = []
        for start in range(0, len(unsure), 100):
            found += await self.store.get_many(Figure, unsure[start : start + 100])
        lately = day_of(await self.store.now() - DAY)
        for key, row in zip(unsure, found, strict=True):
            if row is None:
                with suppress(ConditionFailed):  # another was first
                    await self.store.transact(Put(rows[key], when=(Absent(),)))
            if rows[key].day >= lately:
                if len(self._there) >= MOST_KNOWN:
                    self._there.clear()
                self._there[key] = clock + THERE_SECONDS


def months(first: str, last: str) -> list[str]:
    """List the months of the days `first … last`."""
    found, (year, month) = list[str](), map(int, first.split("-")[:2])
    while f"{year:04}-{month:02}" <= last[:7]:
        found.append(f"{year:04}-{month:02}")
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


def pipeline(operations: Iterable[str]) -> str:
    """Name steps that run together, as figures do."""
    return "+".join(dict.fromkeys(operations))


def _row(fact: Fact, customer: str, slot: int) -> Figure:
    names: dict[str, Any] = {
        name: customer if name == "customer" else getattr(fact, name) for name in NAMED
    }
    digest = hashlib.sha256(msgspec.json.encode([*names.values()])).hexdigest()[:16]
    return Figure(
        month=fact.day[:7],
        id=f"{fact.day}|{fact.about}|{digest}|{slot:02}",
        day=fact.day,
        about=fact.about,
        slot=slot,
        **names,
    )


def _alike(one: Figure, other: Figure) -> bool:
    return one.id.rpartition("|")[0] == other.id.rpartition("|")[0]
