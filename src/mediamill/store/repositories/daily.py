"""What became of files, by day: all that is left of them once they are purged.

A row counts the files of one owner that came in on one day by one way, of one type, to which the
same happened. It is added to in the transaction with which a file's purge passes the point of no
return, so each file is counted once, and none is removed that is not.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Action, Page, Put, Store, Update, key_index

SHELF = "daily"
LAST = "\x7f"
"""Sorts behind all that an id goes on with after its day."""


class Fate(StrEnum):
    """What became of a file."""

    SUCCEEDED = "succeeded"
    """Items of it were done, and none failed."""
    FAILED = "failed"
    """An item of it failed."""
    UNPROCESSED = "unprocessed"
    """No job ran over it."""
    REJECTED = "rejected"
    """It was not taken in."""
    REFUSED = "refused"
    """A message of the stream that became a dead letter."""


class Daily(Record, frozen=True, kw_only=True):
    """What one owner's files of a day, a source and a type came to."""

    table = "daily"
    key = Key("owner", "id")
    indexes = (Index("daily_all", partition=("shelf",), sort=("id", "owner"), shards=8),)

    owner: str
    id: str
    """`{day}|{source}|{media type}|{outcome}`, so that rows lie in the order of their days."""
    shelf: str = SHELF
    """The same for all, so that they can be listed."""
    day: str
    """The day (UTC) on which the files came in, as `2026-11-21`."""
    source: str
    media_type: str
    outcome: Fate
    files: int = 0
    bytes: int = 0
    items: int = 0
    """Outcomes of jobs' items that were made of them, in whatever stage."""
    results: int = 0
    """Files that jobs made of them."""
    result_bytes: int = 0


@dataclass(frozen=True)
class Fact:
    """What is to be counted of files that have one owner, day, source, type and outcome."""

    owner: str
    created: int
    """When they came in (ms)."""
    source: str
    media_type: str
    outcome: Fate
    files: int = 1
    bytes: int = 0
    items: int = 0
    results: int = 0
    result_bytes: int = 0


def day_of(milliseconds: int) -> str:
    """Return the day (UTC) of a time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


class Dailies:
    """Reads of aggregates, and the actions that count."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def counting(self, facts: Iterable[Fact]) -> list[Action]:
        """Make the actions that count facts, one for each row; the rows are there then."""
        rows: dict[tuple[str, str], Daily] = {}
        sums: defaultdict[tuple[str, str], dict[str, int | float]] = defaultdict(dict)
        for fact in facts:
            row = _row(fact)
            rows[row.owner, row.id] = row
            counted = sums[row.owner, row.id]
            for name in ("files", "bytes", "items", "results", "result_bytes"):
                counted[name] = counted.get(name, 0) + getattr(fact, name)
        there = await self.store.get_many(Daily, [*rows])
        for row, found in zip(rows.values(), there, strict=True):
            if found is None:
                await self._begin(row)
        return [Update(Daily, key, add=sums[key]) for key in rows]

    async def of_owner(
        self, owner: str, first: str, last: str, after: str | None, limit: int
    ) -> Page[Daily]:
        """List an owner's rows of the days `first … last`, oldest day first."""
        return await self.store.query(
            Daily, key_index(Daily), owner, at_least=first, at_most=last + LAST,
            after=after, limit=limit,
        )  # fmt: skip

    async def of_all(self, first: str, last: str, after: str | None, limit: int) -> Page[Daily]:
        """List everybody's rows of the days `first … last`, oldest day first."""
        index = Daily.index("daily_all")
        return await self.store.query(
            Daily, index, SHELF, at_least=first, at_most=last + LAST, after=after, limit=limit
        )

    async def _begin(self, row: Daily) -> None:
        try:
            await self.store.transact(Put(row, when=(Absent(),)))
        except ConditionFailed:
            return  # another was first


def _row(fact: Fact) -> Daily:
    day = day_of(fact.created)
    return Daily(
        owner=fact.owner,
        id=f"{day}|{fact.source}|{fact.media_type}|{fact.outcome}",
        day=day,
        source=fact.source,
        media_type=fact.media_type,
        outcome=fact.outcome,
    )
