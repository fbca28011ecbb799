"""What a watch looks at: one job, or all jobs of one owner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mediamill.core.clock import MINUTE
from mediamill.core.errors import NotFound
from mediamill.services.jobs.progress import Ahead, Progress, measure
from mediamill.services.jobs.service import JobService
from mediamill.store.repositories.jobs import Job

MOST_JOBS = 1_000
"""So many unfinished jobs of an owner are followed, the newest."""
MEASURED = 20
"""Unfinished jobs of an owner whose units are looked at, the oldest; others hardly have begun."""
MARGIN_MS = MINUTE
"""How long after its time an end may come to be seen: the write that carries it may have waited."""


@dataclass(frozen=True)
class Snapshot:
    """A job as it was at one look."""

    job: Job
    progress: Progress

    @property
    def id(self) -> str:
        """Name what a listener saw; it changes with the job and with its progress."""
        return f"{self.job.revision}-{int(self.progress.fraction * 1000)}"

    @property
    def lasting(self) -> bool:
        """Whether it must not be left out."""
        return self.job.state.terminal


@dataclass(frozen=True)
class Deleted:
    """A job is not there any more."""

    job: str
    lasting: bool = True


News = Snapshot | Deleted
Seen = dict[str, News]
"""The last that is new of each job."""


class Look(Protocol):
    """Sees one thing again and again."""

    channel: str
    """Rings when a look is worth while."""

    async def look(self) -> tuple[Seen, int]:
        """Return what is new since the look before, and the time (ms) of this one.

        Raises `NotFound` when there is nothing to see any more.
        """

    def standing(self) -> Seen:
        """Return what somebody who comes after the last look has to know first."""


class JobLook:
    """Sees one job."""

    def __init__(self, jobs: JobService, job_id: str) -> None:
        self.jobs, self.id, self.channel = jobs, job_id, f"job:{job_id}"
        self._last: Seen = {}

    async def look(self) -> tuple[Seen, int]:
        job = await self.jobs.jobs.need(self.id)
        if job.hidden:
            raise NotFound(f"There is no job {self.id}.")
        snapshot = Snapshot(job, await self.jobs.progress(job))
        new = self._last.get(self.id) != snapshot
        self._last = {self.id: snapshot}
        return (self._last if new else {}), await self.jobs.jobs.store.now()

    def standing(self) -> Seen:
        return self._last


class OwnerLook:
    """Sees all jobs of an owner: the unfinished, and those that ended or went since it began."""

    def __init__(self, jobs: JobService, owner: str) -> None:
        self.jobs, self.owner, self.channel = jobs, owner, f"jobs:{owner}"
        self._unfinished: dict[str, Snapshot] = {}
        self._ended: dict[str, int] = {}
        self._trash: frozenset[str] = frozenset()
        self._begun = self._time = 0

    async def look(self) -> tuple[Seen, int]:
        now = await self.jobs.jobs.store.now()
        first = not self._begun
        self._begun = self._begun or now
        unfinished = await self._look_at_unfinished(now)
        new: Seen = {
            job: snapshot
            for job, snapshot in unfinished.items()
            if self._unfinished.get(job) != snapshot
        }
        gone = self._unfinished.keys() - unfinished.keys()
        self._unfinished, self._time = unfinished, now
        new |= await self._look_at_ended(now, first=first)
        new |= await self._look_at_trash(first=first)
        return new | await self._reload(gone - new.keys()), now

    def standing(self) -> Seen:
        return dict(self._unfinished)

    async def since(self, time: int) -> Seen:
        """Return what ended or was deleted from a time (ms) on, and a little before it."""
        start = max(0, time - MARGIN_MS)
        ended = {job.id: await self._shown(job) for job in await self._finished(start)}
        trash = await self.jobs.jobs.trashed(self.owner, None, MOST_JOBS, since=start)
        return {**ended, **{job.id: Deleted(job.id) for job in trash.rows}}

    async def _look_at_unfinished(self, now: int) -> dict[str, Snapshot]:
        """Measure the oldest jobs; of the others only those that have changed are read anew."""
        page = await self.jobs.jobs.unfinished(self.owner, limit=MOST_JOBS, descending=True)
        jobs = [job for job in reversed(page.rows) if not job.hidden]
        found: dict[str, Snapshot] = {}
        for place, job in enumerate(jobs):
            before = self._unfinished.get(job.id)
            if place < MEASURED:
                found[job.id] = await self._shown(job)
            elif before is not None and before.job == job:
                found[job.id] = before
            else:
                found[job.id] = Snapshot(job, measure(job, Ahead(), now))
        return found

    async def _look_at_ended(self, now: int, *, first: bool) -> Seen:
        """Return jobs that ended and were not told of yet."""
        jobs = await self._finished(now - MARGIN_MS)
        new = [job for job in jobs if self._ended.get(job.id) != job.generation]
        self._ended = {job.id: job.generation for job in jobs}
        return {} if first else {job.id: await self._shown(job) for job in new}

    async def _look_at_trash(self, *, first: bool) -> Seen:
        """Return jobs that were deleted, or brought back, since the look before."""
        since = self._begun - MARGIN_MS
        page = await self.jobs.jobs.trashed(self.owner, None, MOST_JOBS, since=since)
        trash = frozenset(job.id for job in page.rows)
        back, went = self._trash - trash, trash - self._trash
        self._trash = trash
        if first:
            return {}
        return {**{job: Deleted(job) for job in went}, **await self._reload(back)}

    async def _reload(self, ids: Iterable[str]) -> Seen:
        """See what became of jobs that are not listed where they were."""
        found: Seen = {}
        for job_id in sorted(ids):
            job = await self.jobs.jobs.get(job_id)
            shown = job is not None and not job.hidden
            found[job_id] = await self._shown(job) if job and shown else Deleted(job_id)
        return found

    async def _finished(self, time: int) -> Sequence[Job]:
        page = await self.jobs.jobs.finished_since(self.owner, time, limit=MOST_JOBS)
        return page.rows

    async def _shown(self, job: Job) -> Snapshot:
        return Snapshot(job, await self.jobs.progress(job))
