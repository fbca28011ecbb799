"""Write attempts: many rows in one transaction, guarded by the unit's fence.

While one transaction is written, rows that come gather for the next, so 64 calls in flight need few
of them. A row that begins an attempt is put if absent. Long answers are in blobs (`answers.py`), so
as many rows as one transaction writes are far smaller than a store takes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.store.port import Absent, Put
from mediamill.store.repositories.attempts import Attempt

ROWS = 40
"""The most that one transaction writes."""


@dataclass
class _Entry:
    row: Attempt
    new: bool
    done: "asyncio.Future[None]"

    def put(self) -> Put:
        return Put(self.row, when=(Absent(),) if self.new else ())


@dataclass
class Journal:
    """The ledger's writer for one claim of a unit."""

    lease: Lease
    _waiting: list[_Entry] = field(default_factory=list)
    _writer: "asyncio.Task[None] | None" = None
    _lost: dict[tuple[object, ...], tuple[Attempt, BaseException]] = field(default_factory=dict)
    """Rows that nobody waited for and that could not be written, and why, by their key."""

    async def write(self, row: Attempt, *, new: bool = False) -> None:
        """Make a row durable; `new` says that there must be none yet.

        Raises `LeaseLost`, `ConditionFailed` for a new one that is there, and what the store does.
        """
        await asyncio.shield(self._take(row, new))

    def later(self, row: Attempt) -> None:
        """Take a row that is durable after the next `settle`, at the latest."""
        done = self._take(row, new=False)
        done.add_done_callback(partial(self._seen, row))

    async def settle(self) -> None:
        """Wait until all that was taken is durable; raises why a row of `later` is not.

        What could not be written is so once more, now and whenever this is called again.
        """
        await self._written()
        lost, self._lost = self._lost, {}
        for row, _ in lost.values():
            self.later(row)
        await self._written()
        for _, error in self._lost.values():
            raise error

    async def _written(self) -> None:
        while self._writer is not None and not self._writer.done():
            await asyncio.shield(self._writer)
        await asyncio.sleep(0)  # what became of the last rows is seen in the next turn

    def _seen(self, row: Attempt, done: "asyncio.Future[None]") -> None:
        """Keep a row that nobody waits for until it is durable."""
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._lost[row.key_values()] = row, error

    def _take(self, row: Attempt, new: bool) -> "asyncio.Future[None]":
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(row, new, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return done

    async def _write_all(self) -> None:
        await asyncio.sleep(0)  # what is ready to be written in this turn goes together
        while self._waiting:
            some = self._next()
            try:
                await self.lease.write(*(entry.put() for entry in some))
            except ConditionFailed as error:
                await self._one_by_one(some, error)
            except BaseException as error:
                _fail(some, error)
                if not isinstance(error, Exception):
                    raise
            else:
                _succeed(some)

    async def _one_by_one(self, some: Sequence[_Entry], error: ConditionFailed) -> None:
        """Write rows of which one was there already."""
        if len(some) == 1:
            _fail(some, error)
            return
        for entry in some:
            try:
                await self.lease.write(entry.put())
            except Exception as failure:
                _fail([entry], failure)
            else:
                _succeed([entry])

    def _next(self) -> list[_Entry]:
        """Take what one transaction writes: of an attempt one row, the last."""
        some, keys = list[_Entry](), set[tuple[object, ...]]()
        for entry in self._waiting[:ROWS]:
            if entry.row.key_values() in keys:
                break
            keys.add(entry.row.key_values())
            some.append(entry)
        del self._waiting[: len(some)]
        return some


def _succeed(some: Sequence[_Entry]) -> None:
    for entry in some:
        if not entry.done.done():
            entry.done.set_result(None)


def _fail(some: Sequence[_Entry], error: BaseException) -> None:
    for entry in some:
        if not entry.done.done():
            entry.done.set_exception(error)
