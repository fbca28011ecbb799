"""Write outcomes: at most forty items, and 2 MB, in one transaction, guarded by the unit's fence.

Each transaction holds the result rows with the rows by which later jobs find them, the bits of
`unit.done` and the unit's counters, so an outcome and the fact that it is settled are one. A later
claimant skips what is settled.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec

from mediamill.core.records import Record
from mediamill.engine.lease import Lease
from mediamill.engine.tallying import Tallying
from mediamill.store.port import MAX_ACTIONS, Put
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.reuse import Reuse

ITEMS_PER_FLUSH = 40
BYTES_PER_FLUSH = 2_000_000
"""Of outcomes with many files, such as a hundred copies of a picture, fewer are written at once."""
ROWS_PER_FLUSH = MAX_ACTIONS - 10
"""Of outcomes with which more rows go than their own and that for reuse; the unit's own go too."""
SECONDS_BETWEEN = 0.5

Beside = Callable[[Result], Sequence[Record]]
"""Makes the rows that are written with an outcome."""


def _nothing(result: Result) -> Sequence[Record]:
    return ()


def first_of(
    waiting: Sequence[Result], beside: Mapping[int, Sequence[Record]] | None = None
) -> list[Result]:
    """Return as many of the first outcomes as one transaction takes, one at least.

    `beside` has the rows that go with them, by item.
    """
    size, rows, batch, others = 0, 0, list[Result](), beside or {}
    for result in waiting[:ITEMS_PER_FLUSH]:
        more = others.get(result.item, ())
        size += sum(len(msgspec.msgpack.encode(row)) for row in (result, *more))
        rows += 2 + len(more)
        if batch and (size > BYTES_PER_FLUSH or rows > ROWS_PER_FLUSH):
            break
        batch.append(result)
    return batch


class Flush:
    """Collects the outcomes of one unit; leaving the block normally settles and closes it."""

    def __init__(
        self, lease: Lease, beside: Beside = _nothing, tallying: Tallying | None = None
    ) -> None:
        """`beside` makes what is written with each outcome; `tallying` knows what was run."""
        self.lease, self._beside, self._tallying = lease, beside, tallying
        self._others: dict[int, Sequence[Record]] = {}
        self._waiting: list[Result] = []
        self._reuse: dict[int, Reuse] = {}
        self._lock = asyncio.Lock()
        self._written = time.monotonic()
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if len(self.lease.unit.items) > 1:
            self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        if kind is None:
            await self._write(close=True)
            return
        with suppress(Exception):  # what is done need not be done again, if it can be saved
            await self._write()

    async def add(self, result: Result, reuse: Reuse | None = None) -> None:
        """Take an item's outcome; it is durable after the next write, with its reuse row."""
        if others := self._beside(result):
            self._others[result.item] = others
        self._waiting.append(result)
        if reuse is not None:
            self._reuse[result.item] = reuse
        overdue = time.monotonic() - self._written >= SECONDS_BETWEEN
        if len(self._waiting) >= ITEMS_PER_FLUSH or (overdue and self._ticker is not None):
            await self._write()

    async def settle(self) -> None:
        """Write what is waiting now."""
        await self._write()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN)
            await self._write()

    async def _write(self, *, close: bool = False) -> None:
        async with self._lock:
            while len(batch := first_of(self._waiting, self._others)) < len(self._waiting):
                await self._write_batch(batch)
            if close:
                rows = self._rows(batch)
                await self.lease.finish(*rows, progress=1.0, current=None, **self._tally(batch))
                self._count(batch)
                self._waiting = []
            elif batch:
                await self._write_batch(batch)

    async def _write_batch(self, batch: list[Result]) -> None:
        await self.lease.write(*self._rows(batch), **self._tally(batch))
        self._count(batch)
        del self._waiting[: len(batch)]
        self._written = time.monotonic()

    def _count(self, batch: list[Result]) -> None:
        self.lease.settled.update(result.outcome.value for result in batch)

    def _rows(self, batch: list[Result]) -> list[Put]:
        """Make the actions of a batch; of items with one digest the last is found by it."""
        found = [self._reuse[result.item] for result in batch if result.item in self._reuse]
        by_digest = {row.digest: row for row in found}
        others = [row for result in batch for row in self._others.get(result.item, ())]
        return [*map(Put, batch), *map(Put, by_digest.values()), *map(Put, others)]

    def _tally(self, batch: list[Result]) -> dict[str, Any]:
        """Count a batch into the unit's fields."""
        unit = self.lease.unit
        outcomes = [result.outcome for result in batch]
        return {
            "done": unit.with_done([result.item for result in batch]),
            "succeeded": unit.succeeded + outcomes.count(ItemOutcome.SUCCEEDED),
            "failed": unit.failed + outcomes.count(ItemOutcome.FAILED),
            "reused": unit.reused + outcomes.count(ItemOutcome.REUSED),
            "made": unit.made + sum(file.size for result in batch for file in result.files),
            **({"tally": self._tallying.added(unit.tally, batch)} if self._tallying else {}),
        }
