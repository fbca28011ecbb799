"""Ways to find the rows of a kind that belong to somebody, all by keys and declared indexes."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from mediamill.core.records import Index, Record
from mediamill.store.port import MAX_PAGE, Store, key_index


@dataclass(frozen=True)
class Who:
    """Somebody, also when their own row is gone already."""

    id: str
    email: str = ""


Find = Callable[[Store, Who], AsyncIterator[Any]]
"""Visits rows, each once where nothing changes meanwhile."""


async def pages(store: Store, kind: type[Record], index: Index, *of: Any) -> AsyncIterator[Any]:
    """Visit all rows of an index partition; those that go meanwhile do no harm."""
    after: str | None = None
    while True:
        page = await store.query(kind, index, *of, after=after, limit=MAX_PAGE)
        for row in page.rows:
            yield row
        if (after := page.after) is None:
            return


def owned(kind: type[Record]) -> Find:
    """Find the rows whose key begins with the user."""
    return listed(kind, "", lambda who: (who.id,))


def listed(kind: type[Record], index: str, *partitions: Callable[[Who], tuple[Any, ...]]) -> Find:
    """Find the rows in some partitions of an index, of the key where that has no name."""
    named = kind.index(index) if index else key_index(kind)

    async def find(store: Store, who: Who) -> AsyncIterator[Any]:
        for partition in partitions:
            async for row in pages(store, kind, named, *partition(who)):
                yield row

    return find


def under(parents: Find, kind: type[Record], index: str, of: Callable[[Any], str]) -> Find:
    """Find the rows that belong to other rows: whose index, or key, begins with what `of` says."""
    named = kind.index(index) if index else key_index(kind)

    async def find(store: Store, who: Who) -> AsyncIterator[Any]:
        async for parent in parents(store, who):
            async for row in pages(store, kind, named, of(parent)):
                yield row

    return find


def single(kind: type[Record], *keys: Callable[[Who], tuple[Any, ...]]) -> Find:
    """Find rows by their keys."""

    async def find(store: Store, who: Who) -> AsyncIterator[Any]:
        for key in keys:
            values = key(who)
            if all(values) and (row := await store.get(kind, *values)) is not None:
                yield row

    return find


def both(*finds: Find) -> Find:
    """Find by several ways, one after the other."""

    async def find(store: Store, who: Who) -> AsyncIterator[Any]:
        for one in finds:
            async for row in one(store, who):
                yield row

    return find


def only(find: Find, mine: Callable[[Any, Who], bool]) -> Find:
    """Find those rows that are somebody's, among others'."""

    async def chosen(store: Store, who: Who) -> AsyncIterator[Any]:
        async for row in find(store, who):
            if mine(row, who):
                yield row

    return chosen
