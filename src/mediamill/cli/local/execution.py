"""Run an operation over local files: a slot per core, results in the order of the inputs.

Where the operation must see the whole set first, all inputs are measured, that is reduced to what
they agree on, and only then the operation runs: two passes, as a server does it.
"""

import asyncio
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mediamill.cli.local.asking import Asking, asked
from mediamill.cli.local.lineage import line_of, report_line
from mediamill.cli.local.outcomes import Done, Reporter
from mediamill.cli.local.surveying import Part, Survey, parts_of
from mediamill.cli.local.targets import Made, Target
from mediamill.cli.local.working import Plan, Working
from mediamill.cli.remote.home import load_settings, read_all_settings
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.transfer.saving import unfinished
from mediamill.core.errors import MediamillError
from mediamill.core.load import allowed_cpus
from mediamill.core.settings import Settings
from mediamill.engine.slots import SlotLimits, SlotPool

__all__ = ["Plan", "run_plan"]

AHEAD = 4
"""Inputs per process that may be done, or under way, before an earlier one is put in place."""


def run_plan(plan: Plan, target: Target, *, as_json: bool) -> int:
    """Run a plan; return how many inputs failed. Ctrl-C leaves nothing half-written."""
    settings = load_settings() if plan.asks is None else read_all_settings()
    with Reporter(len(plan.inputs), as_json=as_json) as reporter:
        try:
            asyncio.run(_run(plan, target, reporter, settings))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            target.close()
        reporter.summary()
        return reporter.failed


async def _run(plan: Plan, target: Target, reporter: Reporter, settings: Settings) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with unfinished(target.folder) as scratch:
        scratch.mkdir()
        async with pool_for(plan, scratch) as pool, AsyncExitStack() as stack:
            working = Working(plan, reporter, pool, scratch, target.expect)
            if plan.asks is not None:
                chain = await stack.enter_async_context(asked(plan.asks, settings))
                working = Asking(working, plan.asks, chain)
            if plan.surveys:
                working = await _surveyed(working, target, reporter)
                plan = working.plan
            if plan.applies:
                await Line(working, Placing(target, reporter, plan).settle).run()
        if plan.marking is not None:
            await asyncio.to_thread(plan.marking.write, target)
        target.finish()


async def _surveyed(working: Working, target: Target, reporter: Reporter) -> Working:
    """Measure all inputs, and see what they come to; return the work on those that are good.

    Raises `Failure` for a set that comes to nothing.
    """
    plan = working.plan
    with Survey(working, parts_of(plan), reporter.settle) as survey:
        await measured(survey)
        if plan.applies and not survey.good:
            return working.over(replace(plan, inputs=[]))
        try:
            made = await survey.reduced()
        except MediamillError as error:
            raise Failure(f"The set comes to nothing: {error.message}") from None
    if not plan.applies:
        done = Done(Input(Path(plan.operation)), made)
        await Placing(target, reporter, plan, survey.told).settle(done)
    agreed = {0: dict(made.data or {})}
    return working.over(replace(plan, inputs=survey.good, agreed=agreed))


async def measured(survey: Survey) -> None:
    """Measure all parts of a set."""
    await Line(survey.measuring, survey.settle).run()


@asynccontextmanager
async def pool_for(plan: Plan, scratch: Path) -> AsyncIterator[SlotPool]:
    """Open the slots that work on a plan, for the length of the block."""
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
    wanted = plan.processes or load_settings().slots or allowed_cpus()
    return max(1, min(wanted, len(plan.inputs)))


class Line:
    """The inputs on their way: several are worked on, the oldest is settled next."""

    def __init__(self, working: Working, settle: Callable[[Done], Awaitable[None]]) -> None:
        self._working, self._settle = working, settle

    async def run(self) -> None:
        """Work through all inputs."""
        plan = self._working.plan
        ahead = AHEAD * processes_of(plan)
        line: deque[asyncio.Task[Done]] = deque()
        try:
            for index, item in enumerate(plan.inputs):
                line.append(asyncio.create_task(self._working.done(index, item)))
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


@dataclass
class Placing:
    """Puts what was made in place, says so, and notes how it was made."""

    target: Target
    reporter: Reporter
    plan: Plan
    parts: Sequence[Part] = ()
    """The set, where what was made is a report of it."""

    async def settle(self, done: Done) -> None:
        """Put the results of one input in place, and say so."""
        if done.made is not None:
            try:
                places = await asyncio.to_thread(self._put, done, done.made)
                done = replace(done, places=tuple(places))
            except (Failure, MediamillError, OSError) as error:
                done = done.failing("not_written", str(error))
        self.reporter.settle(done)

    def _put(self, done: Done, made: Made) -> list[str]:
        places = self.target.add(done.item, made)
        names = self.target.named(places)
        if self.parts:
            line = report_line(self.plan, self.parts, made, names)
        else:
            line = line_of(self.plan, done.item, made, names)
        self.target.note(line)
        if self.plan.marking is not None:
            self.plan.marking.add(done.item.path, zip(names, made.files, strict=False))
        return places
