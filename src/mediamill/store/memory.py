"""A store in memory, gone when its process ends: for tests, previews and as the others' model.

Rows are kept as the primitives that a database would hold, so nothing handed in or out is shared.
Each index keeps its rows sorted; a write replaces the row's place in every index.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Any

from mediamill.core.clock import Clock, SystemClock
from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.core.records import R, Record
from mediamill.store.base import CheckedWalks
from mediamill.store.calls import Change, Listing, condition_failed
from mediamill.store.codec import Layout, layout_of
from mediamill.store.judging import Row, changed, holds
from mediamill.store.port import Page

Place = tuple[Any, ...]
"""The sort values of a row in one index: unique, because they end with the key."""


class MemoryStore(CheckedWalks):
    """Records in dictionaries; nothing awaits, so every call is one atomic step."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._tables: dict[str, Table] = {}
        self._closed = False

    async def _found(self, kind: type[R], keys: list[Row]) -> list[R | None]:
        layout = layout_of(kind)
        rows = [self._table(layout).rows.get(key) for key in keys]
        return [None if row is None else layout.decode(row) for row in rows]

    async def _page(self, listing: Listing[R]) -> Page[R]:
        return listing.page(self._table(listing.layout).slice(listing))

    async def _walked(self, listing: Listing[R]) -> list[R]:
        rows = self._table(listing.layout).rows
        keys = sorted(key for key in rows if listing.after is None or key > listing.after)
        return listing.records([rows[key] for key in keys[: listing.limit]])

    async def _apply(self, changes: list[Change]) -> None:
        writes = []
        for position, change in enumerate(changes):
            old = self._table(change.layout).rows.get(change.key)
            if not holds(change, old):
                raise ConditionFailed(condition_failed(change), action=position)
            writes.append((change, old, changed(change, old)))
        for change, old, new in writes:
            self._table(change.layout).replace(change.key, old, new)

    async def now(self) -> int:
        return self._clock.now()

    async def close(self) -> None:
        self._closed = True

    def _table(self, layout: Layout[Any]) -> "Table":
        if self._closed:
            raise Unavailable("The store is closed.")
        if layout.table not in self._tables:
            self._tables[layout.table] = Table(layout)
        return self._tables[layout.table]


class Table:
    """The rows of one kind by key, and their places in every index."""

    def __init__(self, layout: Layout[Any]) -> None:
        self.layout = layout
        self.rows: dict[Row, Row] = {}
        self._order: dict[tuple[str, Row], list[Place]] = defaultdict(list)
        self._keys: dict[tuple[str, Row, Place], Row] = {}

    def replace(self, key: Row, old: Row | None, new: Row | None) -> None:
        """Put `new` (None: nothing) where `old` was."""
        if old is not None:
            del self.rows[key]
            for index, partition, place in self._places(old):
                order = self._order[index, partition]
                del order[bisect_left(order, place)]
                del self._keys[index, partition, place]
        if new is not None:
            self.rows[key] = new
            for index, partition, place in self._places(new):
                insort(self._order[index, partition], place)
                self._keys[index, partition, place] = key

    def slice(self, listing: Listing[Any]) -> list[Row]:
        """Return up to `limit + 1` rows of a listing."""
        where = listing.index.name, listing.partition
        order = self._order.get(where, [])
        start = 0 if listing.low is None else bisect_left(order, (listing.low,))
        stop = len(order) if listing.high is None else bisect_right(order, listing.high, key=_first)
        if listing.after is not None and listing.descending:
            stop = min(stop, bisect_left(order, listing.after))
        elif listing.after is not None:
            start = max(start, bisect_right(order, listing.after))
        places = range(stop - 1, start - 1, -1) if listing.descending else range(start, stop)
        found = (self._keys[*where, order[at]] for at in islice(places, listing.limit + 1))
        return [self.rows[key] for key in found]

    def _places(self, row: Row) -> list[tuple[str, Row, Place]]:
        values = dict(zip(self.layout.by_name, row, strict=True))
        places = []
        for index in (*self.layout.indexes, self.layout.key_index):
            partition = tuple(values[name] for name in index.partition)
            place = tuple(values[name] for name in index.sort)
            if None not in partition and None not in place:
                places.append((index.name, partition, place))
        return places


def _first(place: Place) -> Any:
    return place[0]


async def open(  # noqa: A001 - the name that every backend module has
    url: str, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> MemoryStore:
    """Open an empty store: `memory:`, which takes no parameters and keeps records of any kind."""
    if url != "memory:":
        raise ValueError("memory: takes no parameters")
    return MemoryStore(clock)
