"""A program of ours with one of its promises broken on purpose: the check of it must notice.

`python -m tests.faults.planted FAULT mediamill up --home …` runs the module `mediamill` with one of
`FAULTS`; further modules may stand between.
"""

import asyncio
import os
import runpy
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import apsw
import uvicorn

from mediamill.blobs.local import LocalBlobs, files
from mediamill.core.clock import SystemClock
from mediamill.engine.scheduler import Scheduler
from mediamill.services.repeats import once
from mediamill.store.port import Action, Exists, Put, Store
from mediamill.store.repositories import units
from mediamill.store.repositories.files import File
from mediamill.store.sql.sqlite.writer import Writer
from tests.faults.opened import each_store

LATE = 0.5
"""Seconds between what is claimed and what is done, where a fault claims too early."""


def files_not_synced() -> None:
    real = os.fsync
    os.fsync = lambda fd: real(fd) if stat.S_ISDIR(os.fstat(fd).st_mode) else None


def folders_not_synced() -> None:
    files.fsync_folder = lambda folder: None


def folders_synced_too_early() -> None:
    sync, rename = files.fsync_folder, Path.rename
    files.fsync_folder = lambda folder: None

    def synced(self: Path, target: Path) -> Path:
        sync(target.parent)
        return rename(self, target)

    Path.rename = synced


def log_not_synced() -> None:
    """SIGKILL never shows it."""
    real = Writer.__init__

    def init(self: Writer, connection: apsw.Connection, timeout: float) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")
        real(self, connection, timeout)

    Writer.__init__ = init


def answered_before_the_commit() -> None:
    def change(store: Store) -> None:
        real = store.transact

        async def later(actions: Sequence[Action]) -> None:
            await asyncio.sleep(LATE)
            await real(*actions)

        async def transact(*actions: Action) -> None:
            if any(isinstance(a, Put) and isinstance(a.record, File) for a in actions):
                KEPT.append(asyncio.ensure_future(later(actions)))
            else:
                await real(*actions)

        store.transact = transact

    each_store(change)


def rows_before_bytes() -> None:
    real = LocalBlobs.adopt

    async def later(self: LocalBlobs, key: str, path: Path) -> None:
        await asyncio.sleep(LATE)
        await real(self, key, path)

    async def adopt(self: LocalBlobs, key: str, path: Path) -> None:
        moved = path.parent.parent / f"{path.parent.name}-{path.name}"
        os.rename(path, moved)  # the slot clears its folder
        KEPT.append(asyncio.ensure_future(later(self, key, moved)))

    async def adopt_all(self: LocalBlobs, files: Sequence[tuple[str, Path]]) -> None:
        for key, path in files:
            await adopt(self, key, path)

    LocalBlobs.adopt, LocalBlobs.adopt_all = adopt, adopt_all


def no_fence() -> None:
    """Every later write of a claimant passes, whoever has the unit now."""
    units.held = lambda unit: (Exists(),)


def leases_too_long() -> None:
    real = Scheduler.__init__

    def init(self: Scheduler, store: Store, lease_ms: int) -> None:
        real(self, store, lease_ms * 4)

    Scheduler.__init__ = init


def own_clock() -> None:
    """Leases go by the clock of whoever looks."""

    async def now() -> int:
        return SystemClock().now()

    def change(store: Store) -> None:
        store.now, store._clock = now, SystemClock()  # claims of some stores go by `_clock`

    each_store(change)


def repeats_not_known() -> None:
    """A request that comes again gets other ids."""
    once.reserving = lambda reservation: nullcontext()


def requests_cut_off() -> None:
    """At the end, what is under way is cut instead of finished."""

    async def shutdown(self: uvicorn.Server, sockets: object = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    uvicorn.Server.shutdown = shutdown


def told_apart() -> None:
    """What announces a fact is written after the fact, in a transaction of its own."""

    def announces(action: Action) -> bool:
        row = action.record if isinstance(action, Put) else None
        return isinstance(row, units.Unit) and row.kind == "notify"

    def change(store: Store) -> None:
        real = store.transact

        async def transact(*actions: Action) -> None:
            await real(*(action for action in actions if not announces(action)))
            if later := [action for action in actions if announces(action)]:
                await asyncio.sleep(LATE)
                await real(*later)

        store.transact = transact

    each_store(change)


KEPT: list[asyncio.Future[None]] = []
"""What is under way."""

FAULTS: dict[str, Callable[[], None]] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        files_not_synced,
        folders_not_synced,
        folders_synced_too_early,
        log_not_synced,
        answered_before_the_commit,
        rows_before_bytes,
        no_fence,
        leases_too_long,
        own_clock,
        repeats_not_known,
        requests_cut_off,
        told_apart,
    )
}


if __name__ == "__main__":
    FAULTS[sys.argv.pop(1)]()
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
