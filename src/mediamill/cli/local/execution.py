"""Run an operation over local files: a slot per core, results in the order of the inputs."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mediamill.cli.local.outcomes import Done, Reporter
from mediamill.cli.local.targets import Made, Target
from mediamill.cli.remote.home import load_settings
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.transfer.saving import unfinished
from mediamill.core.errors import MediamillError, SlotFailure, UnsupportedMedia, by_code
from mediamill.engine.slots import (
    Call,
    CallItem,
    Failed,
    Progress,
    Slot,
    SlotLimits,
    SlotPool,
    Succeeded,
)
from mediamill.operations.work import Output

AHEAD = 4
"""Inputs per process that may be done, or under way, before an earlier one is put in place."""


@dataclass(frozen=True)
class Plan:
    """What is to be done to which inputs."""

    operation: str
    parameters: Mapping[str, Any]
    accepts: Sequence[str]
    fans_out: bool
    inputs: Sequence[Input]
    processes: int | None = None


def run_plan(plan: Plan, target: Target, *, as_json: bool) -> int:
    """Run a plan; return how many inputs failed. Ctrl-C leaves nothing half-written."""
    with Reporter(len(plan.inputs), as_json=as_json) as reporter:
        try:
            asyncio.run(_run(plan, target, reporter))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            target.close()
        reporter.summary()
        return reporter.failed


async def _run(plan: Plan, target: Target, reporter: Reporter) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with unfinished(target.folder) as scratch:
        scratch.mkdir()
        async with _pool(plan, scratch) as pool:
            await Line(plan, target, reporter, pool, scratch).run()
        target.finish()


@asynccontextmanager
async def _pool(plan: Plan, scratch: Path) -> AsyncIterator[SlotPool]:
    settings = load_settings()
    limits = SlotLimits(
        memory_bytes=settings.slot_memory_mb << 20, timeout_seconds=settings.slot_timeout_seconds
    )
    pool = SlotPool(processes_of(plan), limits, scratch=scratch)
    try:
        yield pool
    finally:
        await pool.close()


def processes_of(plan: Plan) -> int:
    """Return how many processes work: what was asked for, else one per core."""
    wanted = plan.processes or load_settings().slots or len(os.sched_getaffinity(0))
    return min(wanted, len(plan.inputs))


class Line:
    """The inputs on their way: several are worked on, the oldest is put in place next."""

    def __init__(
        self, plan: Plan, target: Target, reporter: Reporter, pool: SlotPool, scratch: Path
    ) -> None:
        self.plan, self.target, self.reporter = plan, target, reporter
        self.pool, self.scratch = pool, scratch

    async def run(self) -> None:
        """Work through all inputs."""
        ahead = AHEAD * processes_of(self.plan)
        line: deque[asyncio.Task[Done]] = deque()
        try:
            for index, item in enumerate(self.plan.inputs):
                line.append(asyncio.create_task(self._done(index, item)))
                if len(line) >= ahead:
                    await self._next(line)
            while line:
                await self._next(line)
        finally:
            for task in line:
                task.cancel()
            await asyncio.gather(*line, return_exceptions=True)

    async def _next(self, line: "deque[asyncio.Task[Done]]") -> None:
        """Wait for the oldest input, which stays in line so that all are stopped together."""
        await asyncio.wait({line[0]})
        await self._settle(line.popleft().result())

    async def _settle(self, done: Done) -> None:
        """Put the results of one input in place, and say so."""
        if done.made is not None:
            try:
                places = await asyncio.to_thread(self.target.add, done.item, done.made)
                done = replace(done, places=tuple(places))
            except (Failure, MediamillError, OSError) as error:
                done = done.failing("not_written", str(error))
        self.reporter.settle(done)

    async def _done(self, index: int, item: Input) -> Done:
        """Run one input; whatever goes wrong with it is its outcome."""
        began = time.monotonic()
        done = Done(item)
        try:
            if self.plan.fans_out:
                self.target.expect(item)
            made = await self._made(index, item)
            done = replace(done, made=made)
        except UnsupportedMedia as error:
            done = done.failing(error.code, error.message, skipped=not item.named)
        except MediamillError as error:
            done = done.failing(error.code, error.message)
        except Failure as failure:
            done = done.failing("exists", failure.message)
        except OSError as error:
            done = done.failing("not_readable", f"cannot be read: {error.strerror or error}")
        return replace(done, seconds=round(time.monotonic() - began, 3))

    async def _made(self, index: int, item: Input) -> Made:
        """Run the operation on one input; raises `UnsupportedMedia` for what it does not take."""
        with _opened(item.path) as descriptor:
            name, size = item.path.name, os.fstat(descriptor).st_size
            async with self.pool.acquire() as slot:
                facts = await slot.probe(descriptor, name, size)
                self._require_accepted(facts.media_type)
                call_item = CallItem(
                    index=index,
                    descriptor=descriptor,
                    name=name,
                    media_type=facts.media_type,
                    size=size,
                    width=facts.width,
                    height=facts.height,
                    duration=facts.duration,
                )
                return await self._call(slot, call_item)

    def _require_accepted(self, media_type: str) -> None:
        if not any(fnmatch(media_type, pattern) for pattern in self.plan.accepts or "*"):
            takes = ", ".join(self.plan.accepts)
            raise UnsupportedMedia(f"is {media_type}; {self.plan.operation} takes {takes}")

    async def _call(self, slot: Slot, item: CallItem) -> Made:
        """Run the operation in a slot; raises what the slot says went wrong."""
        made: Made | None = None
        steps = ((self.plan.operation, dict(self.plan.parameters)),)
        async for event in slot.run(Call(steps=steps, items=(item,))):
            if isinstance(event, Progress):
                self.reporter.progress(event.index, event.fraction)
            elif isinstance(event, Failed):
                raise by_code(event.code)(_told(event))
            elif isinstance(event, Succeeded):
                files = [self._keep(item.index, n, o) for n, o in enumerate(event.outcome.files)]
                made = Made(files, event.outcome.data, event.outcome.report)
        if made is None:
            raise SlotFailure("The slot ended without an outcome.")
        return made

    def _keep(self, index: int, n: int, output: Output) -> Output:
        """Take a file out of the slot's scratch, which is emptied after the call."""
        place = self.scratch / f"done-{index}-{n}"
        output.path.rename(place)
        return replace(output, path=place)


def _told(event: Failed) -> str:
    """Say why an item failed; of a defect in an operation, with its traceback for its author."""
    trace = event.details.get("traceback")
    return f"{event.message}\n{trace}" if trace else event.message


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
