"""A claimed unit in somebody's hands: every write goes through its fence.

`Lease.keep` extends the lease every third of its length, one that has a fixed end not beyond that.
When an extension is refused, when the job is being cancelled, or when the store stays unreachable
for a whole lease, the work is cancelled: the handler is interrupted and with it the slot's process
is killed.
"""

import asyncio
import time
from collections import Counter
from typing import Any

import structlog

from mediamill.core.errors import ConditionFailed
from mediamill.store.port import Action
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.units import Unit, Units, UnitState

log = structlog.get_logger(__name__)

STOPPED = ("items", "asks", "gather", "expand")
"""Kinds of units that end when their job is cancelled."""
PROGRESS_SECONDS, PROGRESS_STEP = 1.0, 0.01
"""Progress of so much is written at the latest after so long."""


class LeaseLost(Exception):
    """Somebody else has the unit now, or it was cancelled; nothing more may be written."""


class Lease:
    """The guarded writes of one claimant of one unit."""

    def __init__(
        self, units: Units, jobs: Jobs, unit: Unit, milliseconds: int, ends: float | None = None
    ) -> None:
        """Hold a unit; a lease that `ends` (monotonic seconds) is never extended beyond."""
        self.units, self.jobs, self.unit, self.milliseconds = units, jobs, unit, milliseconds
        self.ends, self.claimed, self.since = ends, unit, time.monotonic()
        self.progress = unit.progress
        self.gone = False
        """The unit is out of these hands: finished, released or lost."""
        self.lost = False
        """It was taken away while the work went on."""
        self.released: str | None = None
        """Given back, to be claimed again: with which error if that is one of its attempts."""
        self.operation = ""
        """What its items are run with, if it has any."""
        self.settled = Counter[str]()
        """How many of its items were settled in these hands, by outcome."""
        self.woken: set[str] = set()
        """Classes to which its writes added work."""

    async def write(
        self,
        *others: Action,
        wake: tuple[str, str] | None = None,
        credit: float = 0.0,
        **changes: Any,
    ) -> None:
        """Change the unit together with other actions; raises `LeaseLost`."""
        try:
            await self.units.write(self.unit, *others, wake=wake, credit=credit, **changes)
        except ConditionFailed as error:
            raise self._judge(error) from error
        self.unit = self.unit.evolve(**changes)
        self._woke(wake)

    async def finish(
        self, *others: Action, wake: tuple[str, str] | None = None, **changes: Any
    ) -> None:
        """Close the unit as done together with other actions; raises `LeaseLost`."""
        try:
            self.unit = await self.units.finish(self.unit, *others, wake=wake, **changes)
        except ConditionFailed as error:
            raise self._judge(error) from error
        self.gone = True
        self._woke(wake)

    def _woke(self, lane: tuple[str, str] | None) -> None:
        self.woken |= {lane[0]} if lane else set()

    async def vanish(self, *others: Action, wake: tuple[str, str] | None = None) -> None:
        """Close the unit and remove its row together with other actions; raises `LeaseLost`."""
        try:
            await self.units.remove(self.unit, *others, wake=wake)
        except ConditionFailed as error:
            raise self._judge(error) from error
        self.gone = True
        self._woke(wake)

    async def hand_over(self, klass: str, why: str, credit: float) -> None:
        """Give the unit to another class, to be claimed there at once; raises `LeaseLost`.

        `credit` is what its lane gets back of the virtual time that the claim took.
        """
        try:
            await self.units.move(self.unit, klass, why, credit)
        except ConditionFailed as failure:
            raise self._judge(failure) from failure
        self.gone, self.released = True, ""
        self.woken.add(klass)

    async def release(
        self,
        delay_ms: int = 0,
        error: str = "",
        credit: float = 0.0,
        *,
        counted: bool = True,
        **changes: Any,
    ) -> None:
        """Give the unit back, to be claimed again after a delay; else as `Units.release`."""
        not_before = await self.units.store.now() + delay_ms
        try:
            await self.units.release(
                self.unit, not_before, error, credit, counted=counted, **changes
            )
        except ConditionFailed as failure:
            raise self._judge(failure) from failure
        self.gone, self.released = True, error if counted else ""

    def _judge(self, error: ConditionFailed) -> Exception:
        """Tell a lost lease (the unit's own guard failed) from a guard of the other actions."""
        if error.action == 0:
            self.gone = True
            return LeaseLost(self.unit.name)
        return error

    async def keep(self, work: "asyncio.Task[Any]") -> None:
        """Extend the lease until the work is done; cancel the work when it cannot be kept."""
        seconds = self.milliseconds / 1000
        extended = time.monotonic()
        while True:
            await self._until_due(seconds / 3)
            left = seconds - (time.monotonic() - extended)
            try:
                async with asyncio.timeout(max(left, seconds / 3)):  # a store may never answer
                    kept = await self._extend()
                extended = time.monotonic()
            except Exception as error:  # what cannot be extended runs out
                log.warning("not extended", action="lease_strained", exc_info=error)
                kept = time.monotonic() < (self.ends or extended + seconds)
            if not kept:
                self.gone = self.lost = True
                work.cancel()
                return

    async def _until_due(self, seconds: float) -> None:
        """Wait for the next extension; less long when there is progress to show."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, PROGRESS_SECONDS))
            if self.progress - self.unit.progress >= PROGRESS_STEP:
                return

    async def _extend(self) -> bool:
        left = self.milliseconds if self.ends is None else self._left_ms()
        due = await self.units.store.now() + left
        try:
            await self.write(due=due, progress=self.progress)
        except LeaseLost:
            return False
        job = self.unit.payload.get("job")
        return not job or not await self._cancelled(job)

    def _left_ms(self) -> int:
        return max(0, int(((self.ends or 0.0) - time.monotonic()) * 1000))

    async def _cancelled(self, job_id: str) -> bool:
        """Close the unit as cancelled when its job is being cancelled."""
        job = await self.jobs.get(job_id)
        if job is None or (job.cancelling and self.unit.kind in STOPPED):
            current = await self.units.get(self.unit.group, self.unit.seq)
            if current and current.state is UnitState.LEASED and current.fence == self.unit.fence:
                await self.units.cancel(current)
            return True
        return False
