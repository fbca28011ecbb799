"""Where a job stands in line before its first unit begins, and when it may be done.

A class is served by lanes (`engine/scheduler.py`): the owner with the least virtual time is next,
with their oldest work. So of the unfinished jobs of the same class these are *ahead* of a job J:

- those that its owner submitted before, whose remaining work is W seconds by estimate;
- of every other owner, oldest first, those that begin before J does: while the owner's virtual
  time plus the remaining work before the job is less than the virtual time of J's owner plus W.

*Time left* is the remaining work of the jobs ahead and of J, divided by the rate at which work of
the class is done now: estimated seconds done per second, summed over the unfinished jobs that have
begun; where none has, the median rate of the owner's last five jobs of the class that ended within
the hour; else it cannot be told.

Reads are bounded and shared: one look, at a class or at an owner's jobs, holds for two seconds, for
all who wait; else a hundred waiting jobs that a hundred clients watch would be read ten thousand
times.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

from mediamill.core.clock import HOUR
from mediamill.store.repositories.jobs import Job, Jobs
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.workers import WorkerRow, Workers

LANES, JOBS_OF_OTHERS, OWN_JOBS = 32, 20, 100
"""So many lanes, jobs of each other owner, and own jobs are looked at."""
LOOK_MS = 2_000
LAST_JOBS = 5
MOST_HELD = 1_000
"""Looks that are kept; then all are forgotten, for most are too old."""

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """How many jobs are ahead; `capped`: at least so many."""

    ahead: int
    capped: bool = False
    seconds_left: float | None = None
    deserted: bool = False
    """Whether workers for its next unit are known, and none of them takes anything now."""


@dataclass(frozen=True)
class Waiting:
    """An owner's lane in a class and their unfinished jobs of it, oldest first."""

    lane: Lane
    jobs: Sequence[Job]
    capped: bool


@dataclass(frozen=True)
class Look:
    """A class as it was at one time (ms)."""

    time: int
    waiting: Sequence[Waiting]
    capped: bool

    def rate(self) -> float:
        """Return the estimated seconds of work done per second."""
        return sum(_rate(job, self.time) for found in self.waiting for job in found.jobs)


@dataclass(frozen=True)
class Held:
    """What is being looked up, or was, and when that began (ms)."""

    time: int
    found: "asyncio.Future[Any]"


@dataclass
class Queue:
    """Tells places in line."""

    jobs: Jobs
    units: Units
    workers: Workers
    functions: bool = False
    """Whether functions may take units: of them there are no rows, so nobody is ever missed."""
    _held: dict[tuple[str, ...], Held] = field(default_factory=dict)

    async def place(self, job: Job, now: int, klass: str) -> Place:
        """Return the place of an unfinished job none of whose units has begun.

        `klass` is that of the unit which comes first: what asks models is in one of its own.
        """
        look = await self._shared(now, ("class", job.klass), lambda: self._look(job.klass, now))
        rows = await self._shared(now, ("own", job.owner), lambda: self._own(job.owner))
        place = (job.created, job.id)
        own = [row for row in rows if (row.created, row.id) < place and row.klass == job.klass]
        own = own[:OWN_JOBS]
        capped = look.capped or (len(rows) > OWN_JOBS + 1 and rows[-1].created <= job.created)
        work = sum(map(remaining, own))
        lane = await self.units.lane(job.klass, job.owner)
        turn = (lane.vtime if lane else 0.0) + work
        ahead = len(own)
        for other in look.waiting:
            if other.lane.owner != job.owner:
                before = list(_before(other, turn))
                ahead += len(before)
                work += sum(map(remaining, before))
                capped = capped or (other.capped and len(before) == len(other.jobs))
        rate = look.rate() or await self._shared(
            now, ("rate", job.klass, job.owner), lambda: self._rate(job.klass, job.owner, now)
        )
        left = round((work + remaining(job)) / rate, 1) if rate else None
        deserted = await self._shared(now, ("workers", klass), lambda: self._deserted(klass, now))
        return Place(ahead, capped, left, deserted)

    async def _shared(
        self, now: int, key: tuple[str, ...], look: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Look something up, or share what another has found, or is looking up, of late."""
        held = self._held.get(key)
        if held is None or not 0 <= now - held.time < LOOK_MS:
            if len(self._held) >= MOST_HELD:
                self._held.clear()
            held = self._held[key] = Held(now, asyncio.ensure_future(look()))
        try:
            found: T = await asyncio.shield(held.found)
        except Exception:
            self._held.pop(key, None)  # the next one tries again
            raise
        return found

    async def _look(self, klass: str, now: int) -> Look:
        lanes, more = await self.units.active_lanes(klass, LANES)
        waiting = [await self._waiting(lane) for lane in lanes]
        return Look(now, waiting, more)

    async def _deserted(self, klass: str, now: int) -> bool:
        """Tell whether workers of a class are known, and none of them takes anything."""
        if self.functions:
            return False
        known = [row for row in await self.workers.known(now) if klass in row.classes]
        return bool(known) and not any(_takes(row, now) for row in known)

    async def _own(self, owner: str) -> Sequence[Job]:
        """List an owner's unfinished jobs, oldest first: those that count, itself, and one more."""
        return (await self.jobs.unfinished(owner, limit=OWN_JOBS + 2)).rows

    async def _waiting(self, lane: Lane) -> Waiting:
        page = await self.jobs.unfinished(lane.owner, limit=JOBS_OF_OTHERS)
        jobs = [job for job in page.rows if job.klass == lane.klass]
        return Waiting(lane, jobs, page.after is not None)

    async def _rate(self, klass: str, owner: str, now: int) -> float:
        """Return the median rate of an owner's last jobs of a class, 0 where there are none."""
        last = await self.jobs.last_finished(owner, 4 * LAST_JOBS)
        rates = [
            row.cost / max(0.001, (row.finished - row.started) / 1000)
            for row in last
            if row.klass == klass and row.started and row.finished and row.cost
            if now - row.finished < HOUR
        ]
        return median(rates[:LAST_JOBS]) if rates else 0.0


def remaining(job: Job) -> float:
    """Return the estimated seconds of a job that are not done yet."""
    return max(0.0, job.cost - job.spent)


def _takes(worker: WorkerRow, now: int) -> bool:
    """Tell whether a worker is there and takes units."""
    return not (worker.lost(now) or worker.drain or worker.over)


def _rate(job: Job, now: int) -> float:
    if job.started is None or not job.spent or now <= job.started:
        return 0.0
    return job.spent / ((now - job.started) / 1000)


def _before(other: Waiting, turn: float) -> Iterable[Job]:
    """Yield the jobs of another owner that begin before a turn comes."""
    time = other.lane.vtime
    for job in other.jobs:
        if time >= turn:
            return
        yield job
        time += remaining(job)
