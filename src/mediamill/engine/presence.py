"""That a worker is there: its row, which others read, and in which they say that it is to drain.

One write every few seconds tells what it does and hears whether it may go on as before: the write
holds only while what is wanted is what was wanted last (`store/repositories/workers.py`).
"""

import asyncio
import os
import socket

import structlog

from mediamill import __version__
from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed, ConfigurationError
from mediamill.core.ids import new_id
from mediamill.store.port import Versioned
from mediamill.store.repositories.workers import WorkerRow, Workers, WorkerState, lost_after

MOST_SECONDS = 5.0
"""The longest between two writes; with short leases it is a third of one."""
LEAVE_SECONDS = 5.0
"""How long a worker that ends waits for its row to go."""

log = structlog.get_logger(__name__)


class Presence:
    """The row of one worker."""

    def __init__(self, workers: Workers, lease: float, *, stays: bool = False) -> None:
        """`stays` says that the worker waits once it has drained, instead of ending."""
        self.workers, self.stays = workers, stays
        self.every = min(MOST_SECONDS, lease / 3)
        self._id = new_id("worker")
        self._row: WorkerRow | None = None
        self._asked = 0
        """When it was last looked whether the store takes this program (ms)."""

    async def tell(
        self, name: str, classes: tuple[str, ...], state: WorkerState, running: int
    ) -> WorkerRow | None:
        """Say what a worker does; return its row, which says what is wanted.

        The row has another `state` where that could not be said because other things are wanted
        meanwhile; None where it is gone: then it is begun again the next time.
        """
        now = await self.workers.store.now()
        until = now + lost_after(int(self.every * 1000))
        if self._row is None:
            self._row = await self._begun(name, classes, now, until)
        told = self._row.evolve(seen=now, until=until, state=state, running=running)
        try:
            await self.workers.beat(told)
            self._row = told
        except ConditionFailed:
            self._row = await self.workers.get(self._id)
        if self._row and not self._row.drain and await self._refused(now):
            self._row = await self.workers.want(self._id, drain=True)
        return self._row

    async def _refused(self, now: int) -> bool:
        """Look once a minute whether the store asks for newer programs than this one."""
        store = self.workers.store
        if now < self._asked + MINUTE or not isinstance(store, Versioned):
            return False
        self._asked = now
        try:
            await store.require_current()
        except ConfigurationError as error:
            log.error("drains for a newer version", action="version_refused", error=error.message)
            return True
        return False

    async def leave(self) -> None:
        """Take the row away, unless it says that the worker has drained and ended."""
        row = self._row
        if row is None or row.over:
            return
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self.workers.remove(row.id)
        except Exception as error:  # it counts as lost in a moment, which does no harm
            log.warning("presence unsaid", action="presence_failed", exc_info=error)

    async def _begun(self, name: str, classes: tuple[str, ...], now: int, until: int) -> WorkerRow:
        row = WorkerRow(
            id=self._id,
            name=name,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            classes=classes,
            stays=self.stays,
            started=now,
            seen=now,
            until=until,
        )
        try:
            await self.workers.add(row)
        except ConditionFailed:  # it was written, though the store did not say so
            return await self.workers.get(self._id) or row
        return row
