"""The worker's side of slots: a fixed number of seats, each with at most one warm child.

    async with pool.acquire() as slot:
        async for event in slot.run(call): …

A child that dies, is killed or has served long enough is replaced when its seat is used again.
"""

import asyncio
import itertools
import shutil
import time
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mediamill.core.errors import MediamillError, Unavailable, by_code
from mediamill.core.registry import homes_of_guests
from mediamill.engine.slots import calls, process
from mediamill.engine.slots.calls import Call, CallItem, Event, Failed, SlotLimits, Succeeded
from mediamill.engine.slots.run import Run
from mediamill.media.facts import Facts

T = TypeVar("T")
CATALOGUE = "mediamill.operations:build"


class SlotPool:
    """A number of slots; must be used on one event loop."""

    def __init__(
        self,
        size: int,
        limits: SlotLimits | None = None,
        *,
        scratch: Path,
        catalogue: str = CATALOGUE,
        readable: tuple[str, ...] = (),
        spare: int = 0,
    ) -> None:
        """Children start when first used, or by `warm`.

        Their files lie below `scratch`. `catalogue` names the function that builds operations, as
        `module:function`; children may read its folder and those in `readable`. So many `spare`
        ones are for short work, beside as much as the machine can do.
        """
        self.limits = limits or SlotLimits()
        self._folder = scratch.absolute() / f"slots-{uuid.uuid4().hex}"
        self._catalogue, self._readable = catalogue, readable
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="slot-spawner")
        self._seats = [Slot(self, self._folder / str(number)) for number in range(size)]
        self._idle: asyncio.LifoQueue[Slot] = asyncio.LifoQueue()
        for seat in reversed(self._seats):
            self._idle.put_nowait(seat)
        self._report: dict[str, bool | str] = {}
        self.warming: tuple[str, ...] = ()
        """Modules that children import when they have nothing to do (`Setup.warm`)."""
        self._background: set[asyncio.Task[None]] = set()
        self._closed = False
        self._full = max(1, size - spare)
        self._held = 0
        self._free_since: float | None = time.monotonic()

    @asynccontextmanager
    async def acquire(self, *, aside: bool = False) -> "AsyncIterator[Slot]":
        """Wait for a free slot; leaving the block with a call under way kills its child.

        `aside` is for what gives way to others: it does not count as work in `free_for`.
        """
        self._require_open()
        slot = await self._idle.get()
        self._hold(0 if aside else 1)
        try:
            self._require_open()
            yield slot
        finally:
            slot.release()
            self._idle.put_nowait(slot)
            self._hold(0 if aside else -1)

    def _hold(self, more: int) -> None:
        self._held += more
        if self._held >= self._full:
            self._free_since = None
        elif self._free_since is None:
            self._free_since = time.monotonic()

    async def warm(self, most: int | None = None) -> None:
        """Start the children of free slots, all or so many, so that first calls do not wait."""
        count = self._idle.qsize() if most is None else min(most, self._idle.qsize())
        free = [self._idle.get_nowait() for _ in range(count)]
        try:
            await asyncio.gather(*(slot.child() for slot in free))
        finally:
            for slot in reversed(free):
                self._idle.put_nowait(slot)

    @property
    def busy(self) -> int:
        """How many slots are in use."""
        return self.size - self._idle.qsize()

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._seats)

    @property
    def free_for(self) -> float:
        """Seconds for which a slot for long work has always been free, not just between calls."""
        return 0.0 if self._free_since is None else time.monotonic() - self._free_since

    def protections(self) -> dict[str, bool | str]:
        """Say what the kernel granted to the youngest child; empty before there was one."""
        return dict(self._report)

    async def close(self) -> None:
        """Kill every child and remove the scratch folder."""
        self._closed = True
        await asyncio.gather(*(seat.close() for seat in self._seats), *self._background)
        self._spawner.shutdown(wait=False)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def start(self, folder: Path) -> process.Process:
        """Start a child that may write below `folder` only."""
        self._require_open()
        setup = calls.Setup(
            folder=str(folder),
            catalogue=self._catalogue,
            memory_bytes=self.limits.memory_bytes,
            file_bytes=self.limits.file_bytes,
            open_files=self.limits.open_files,
            readable=(*self._readable, *self._guests),
            warm=self.warming,
        )
        child = await process.start(self._spawner, self.limits, folder, setup)
        self._report = child.report
        return child

    @cached_property
    def _guests(self) -> tuple[str, ...]:
        """Where operations of other people lie; looked for once, not by each child."""
        return homes_of_guests("mediamill.operations")

    def remove(self, folder: Path) -> None:
        """Remove a folder in the background."""
        work = asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("The slots are closed.")


class Slot:
    """A seat in the pool, held by one task at a time."""

    def __init__(self, pool: SlotPool, folder: Path) -> None:
        self._pool, self._folder = pool, folder
        self._child: process.Process | None = None
        self._run: Run | None = None
        self._scratch: Path | None = None
        """Where the last call wrote."""
        self._numbers = itertools.count()

    async def run(self, call: Call) -> AsyncIterator[Event]:
        """Do a call, telling what happens to each item, in order.

        What items made must be moved away before the next call, and before the slot is released.
        Raises `SlotFailure` when the child dies, `OutOfMemory` when that was for want of memory,
        `TimedOut` when an item took too long; each has the item that was current in
        `details["index"]`, or None. A task that is cancelled kills the child.
        """
        if self._run is not None and not self._run.over:
            raise RuntimeError("a slot does one call at a time")
        child = await self.child()
        self._clear()
        scratch = self._scratch = self._folder / f"call-{next(self._numbers)}"
        await asyncio.to_thread(scratch.mkdir, mode=0o700)
        child.calls += 1
        run = self._run = Run(child, call, scratch, self._pool.limits)
        try:
            async for event in run.events():
                yield event
        finally:
            run.stop()

    async def probe(self, descriptor: int, name: str, size: int) -> Facts:
        """Return what a file is; raises what `media.probe.probe` raises, or `SlotFailure`."""
        item = CallItem(index=0, descriptor=descriptor, name=name, size=size)
        ((_, found),) = [one async for one in self.probe_all((item,))]
        if isinstance(found, MediamillError):
            raise found
        return found

    async def probe_all(
        self, items: tuple[CallItem, ...]
    ) -> AsyncIterator[tuple[int, Facts | MediamillError]]:
        """Yield the index of each file and what it is, or what `media.probe.probe` raised.

        Raises `SlotFailure` when one of them ends the slot; those before it were yielded.
        """
        async for event in self.run(Call(kind="probe", items=items)):
            if isinstance(event, Failed):
                yield event.index, by_code(event.code)(event.message, **event.details)
            if isinstance(event, Succeeded):
                yield event.index, self._believed(event.outcome.data, Facts)

    def _believed(self, data: Any, kind: type[T]) -> T:
        """Convert what the child said; raises `SlotFailure` where it is no such thing."""
        try:
            return msgspec.convert(data, kind)
        except msgspec.ValidationError as error:
            assert self._run is not None  # noqa: S101 - it gave the data
            raise self._run.nonsense(str(error)) from None

    async def child(self) -> process.Process:
        """Return this seat's child, a new one where there is none or it has served long enough."""
        worn = self._run is not None and self._run.worn
        child = self._child
        if child is not None and (worn or child.calls >= self._pool.limits.recycle_after_calls):
            child.kill()
        if child is None or child.killed:
            if child is not None:
                await asyncio.shield(child.reap())  # it may write no more
            self._child, self._run = None, None
            child = self._child = await self._pool.start(self._folder)
        return child

    def release(self) -> None:
        """Stop what is under way; what it wrote goes."""
        if self._run is not None:
            self._run.stop()
        self._clear()

    def _clear(self) -> None:
        if self._scratch is not None:
            self._pool.remove(self._scratch)
            self._scratch = None

    async def close(self) -> None:
        """Kill the child and wait for its end."""
        if self._child is not None:
            self._child.kill()
            await self._child.reap()
