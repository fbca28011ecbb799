"""Workers: which processes take units, what they do now, and whether they are to stop taking any.

A worker writes its row every few seconds (`engine/presence.py`), on the condition that it still
wants what the worker knows: so one write both says that it lives and hears what is wanted. The time
is the store's.
"""

from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum

from mediamill.core.clock import DAY, SECOND
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import MAX_PAGE, Absent, Delete, Equals, Put, Store, Update

SHELF = "workers"
KEPT_MS = DAY
"""How long a worker is listed that was not heard of any more."""
TRIES = 20
"""How often a change is tried that others keep making too."""


class WorkerState(StrEnum):
    """What a worker does."""

    RUNNING = "running"
    """It takes units."""
    DRAINING = "draining"
    """It takes no more, and finishes those that it has."""
    DRAINED = "drained"
    """It has none: it has ended, or waits until it may take some again."""


class WorkerRow(Record, frozen=True, kw_only=True):
    """One process that takes units."""

    table = "workers"
    key = Key("id")
    indexes = (Index("worker_all", partition=("shelf",), sort=("id",)),)

    id: str
    shelf: str = SHELF
    """The same for all, so that they can be listed."""
    name: str
    """How the units that it holds call it."""
    host: str
    pid: int
    version: str
    classes: tuple[str, ...]
    """Of which units it takes some."""
    stays: bool
    """Whether it waits once it has drained, instead of ending."""
    started: int
    seen: int
    """When it was heard of last (ms)."""
    until: int
    """When it counts as lost if nothing is heard of it (ms)."""
    running: int = 0
    """How many units it has."""
    state: WorkerState = WorkerState.RUNNING
    drain: bool = False
    """Whether it is to take no more."""

    def lost(self, now: int) -> bool:
        """Tell whether it vanished: it neither ended as it should nor was heard of in time."""
        return now > self.until and not self.over

    @property
    def over(self) -> bool:
        """Tell whether it has drained and ended."""
        return self.state is WorkerState.DRAINED and not self.stays


class Workers:
    """Reads and changes rows of workers; each change is one conditional write."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- for workers --------------------------------------------------------------------------

    async def add(self, worker: WorkerRow) -> None:
        """Begin a worker's row, and forget those that were not heard of for long."""
        await self.store.transact(Put(worker, when=(Absent(),)))
        for old in await self._all():
            if old.until < worker.seen - KEPT_MS:
                with suppress(ConditionFailed):  # it was heard of after all
                    gone = (Equals("until", old.until),)
                    await self.store.transact(Delete(WorkerRow, (old.id,), gone))

    async def beat(self, worker: WorkerRow) -> None:
        """Write what a worker does; raises `ConditionFailed` when `drain` is not so any more."""
        told = {"seen": worker.seen, "until": worker.until, "running": worker.running}
        same = (Equals("drain", worker.drain),)
        change = Update(WorkerRow, (worker.id,), set={**told, "state": worker.state}, when=same)
        await self.store.transact(change)

    async def remove(self, worker_id: str) -> None:
        """Remove the row of a worker that has ended as it should."""
        await self.store.transact(Delete(WorkerRow, (worker_id,)))

    # -- for those who run the service --------------------------------------------------------

    async def get(self, worker_id: str) -> WorkerRow | None:
        """Return a worker."""
        return await self.store.get(WorkerRow, worker_id)

    async def known(self, now: int) -> Sequence[WorkerRow]:
        """List workers, oldest first, and those of the last day that ended or were lost."""
        return [one for one in await self._all() if one.until >= now - KEPT_MS]

    async def want(self, worker_id: str, *, drain: bool) -> WorkerRow:
        """Have a worker take no more units, or some again; raises `NotFound` and `Conflict`.

        One that has ended cannot take any.
        """
        for _ in range(TRIES):
            worker = await self.get(worker_id)
            if worker is None:
                raise NotFound(f"There is no worker {worker_id}.")
            if worker.drain == drain:
                return worker
            if worker.over:
                raise Conflict(f"{worker.name} has drained and ended: start a worker there again.")
            same = (Equals("state", worker.state),)
            with suppress(ConditionFailed):  # it has just gone on: look again
                change = Update(WorkerRow, (worker_id,), set={"drain": drain}, when=same)
                await self.store.transact(change)
                return worker.evolve(drain=drain)
        raise Conflict(f"{worker_id} changes all the time: try again.")

    async def _all(self) -> list[WorkerRow]:
        index, rows, after = WorkerRow.index("worker_all"), list[WorkerRow](), None
        while True:
            page = await self.store.query(WorkerRow, index, SHELF, after=after, limit=MAX_PAGE)
            rows += page.rows
            if (after := page.after) is None:
                return rows


def lost_after(beat_ms: int) -> int:
    """Return how long (ms) after it was heard of a worker counts as lost."""
    return max(6 * beat_ms, 15 * SECOND)
