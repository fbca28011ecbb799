"""What every store does alike: its calls checked, and closed when the last of them is over."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mediamill.core.errors import Unavailable
from mediamill.core.records import Index, R
from mediamill.store.calls import Change, Listing, changes_of, keys_of, listing_of, walk_of
from mediamill.store.judging import Row
from mediamill.store.port import MAX_PAGE, Action, Page
from mediamill.store.watching import UNWATCHED, Watch


class Calls:
    """The calls that are under way, and whether more are taken."""

    def __init__(self) -> None:
        self._closed, self._running, self._quiet = False, 0, asyncio.Event()

    def require_open(self) -> None:
        """Raise `Unavailable` once the store is closed."""
        if self._closed:
            raise Unavailable("The store is closed.")

    @contextmanager
    def accepted(self) -> Iterator[None]:
        """Let `close` wait for the block; raises `Unavailable` once the store is closed."""
        self.require_open()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._closed and not self._running:
                self._quiet.set()

    async def close(self) -> None:
        """Take no more calls, and wait until those are over that are under way."""
        self._closed = True
        if self._running:
            await self._quiet.wait()


class Checked(ABC):
    """The port's calls: what is asked for is checked and timed here, and done by each store."""

    watch: Watch = UNWATCHED
    """Sees every call; whoever opens the store may set another."""

    async def get(self, kind: type[R], *key: Any) -> R | None:
        return (await self.get_many(kind, [key]))[0]

    async def get_many(self, kind: type[R], keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        wanted = keys_of(kind, keys)
        with self.watch.call("get"):
            return await self._found(kind, wanted)

    async def query(
        self,
        kind: type[R],
        index: Index,
        *partition: Any,
        at_least: Any = None,
        at_most: Any = None,
        after: str | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> Page[R]:
        listing = listing_of(
            kind,
            index,
            partition,
            at_least=at_least,
            at_most=at_most,
            after=after,
            limit=limit,
            descending=descending,
        )
        with self.watch.call("query"):
            return await self._page(listing)

    async def transact(self, *actions: Action) -> None:
        changes = changes_of(actions)
        with self.watch.call("transact"):
            await self._apply(changes)

    @abstractmethod
    async def _found(self, kind: type[R], keys: list[Row]) -> list[R | None]:
        """Return the record, or None, of each key, in their order."""

    @abstractmethod
    async def _page(self, listing: Listing[R]) -> Page[R]:
        """Return one page."""

    @abstractmethod
    async def _apply(self, changes: list[Change]) -> None:
        """Make the changes of one transaction, of which there may be none."""


class CheckedWalks(Checked):
    """The same, with walks over all records of a kind."""

    async def walk(
        self, kind: type[R], after: tuple[Any, ...] | None = None, limit: int = MAX_PAGE
    ) -> list[R]:
        return await self._walked(walk_of(kind, after, limit))

    @abstractmethod
    async def _walked(self, listing: Listing[R]) -> list[R]:
        """Return the records of a listing in key order, in no partition."""
