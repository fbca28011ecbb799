"""Jobs as their owner sees them: submit, watch, cancel, retry, read what came of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.engine.expand import UNITS_PER_STEP, pieces
from mediamill.engine.stages import Piece, cancellation, item_units, pack, pass_unit, split
from mediamill.services.access import Access
from mediamill.services.progress import Ahead, Progress, measure
from mediamill.services.requests import JobRequest, Requests
from mediamill.store.port import Absent, Equals, Page, Put, Update
from mediamill.store.repositories.jobs import (
    PAGE_ENTRIES,
    Counts,
    Entry,
    Job,
    Jobs,
    JobState,
    Manifests,
)
from mediamill.store.repositories.results import Result, Results
from mediamill.store.repositories.units import Unit, Units, lane_of

log = structlog.get_logger(__name__)


@dataclass
class JobService:
    """What a caller may do with jobs."""

    access: Access
    jobs: Jobs
    units: Units
    manifests: Manifests
    results: Results
    requests: Requests
    bell: Doorbell

    # -- submit ---------------------------------------------------------------------------------

    async def submit(self, principal: Principal, request: JobRequest) -> Job:
        """Accept a job: when this returns, it is durable and will reach a terminal state.

        Raises `InvalidInput` with one entry in `details["errors"]` per wrong file or parameter,
        `NotFound` for an operation that does not exist.
        """
        checked = await self.requests.check(principal, request)
        entries = [Entry(file.id, file.name) for file in checked.files]
        packed = pack(pieces(0, entries, checked.files, split(checked.steps)[0].steps))
        now = await self.jobs.store.now()
        job = checked.draft(principal, sum(p.cost for unit in packed for p in unit), now)
        pages = [
            await self.manifests.page(job.id, 0, page, entries[start : start + PAGE_ENTRIES])
            for page, start in enumerate(range(0, len(entries), PAGE_ENTRIES))
        ]
        await self._insert(job, pages, packed, now)
        log.info("job accepted", action="job_accepted", items=job.items, **job.log_context())
        await self.bell.ring(f"work:{job.klass}")
        return await self.jobs.need(job.id)

    async def _insert(
        self, job: Job, pages: Sequence[Put], packed: Sequence[Sequence[Piece]], now: int
    ) -> None:
        """Commit the job with its units, or with the unit that will expand it."""
        if len(packed) + len(pages) <= UNITS_PER_STEP:
            units = item_units(job, packed, 0, now)
            cost = sum(unit.cost for unit in units)
            job = job.evolve(state=JobState.RUNNING, expanded=True, units=len(units), cost=cost)
        else:
            units = [pass_unit(job, "expand", now)]
        await self.units.insert(units, Put(job, when=(Absent(),)), *pages)

    # -- read -----------------------------------------------------------------------------------

    async def list(self, principal: Principal, after: str | None, limit: int) -> Page[Job]:
        """List the caller's jobs, newest first."""
        return await self.jobs.of_owner(principal.user, after, limit)

    async def get(self, principal: Principal, job_id: str) -> Job:
        """Return one job; raises `NotFound`."""
        return await self.access.load(principal, Job, job_id)

    async def progress(self, job: Job) -> Progress:
        """Measure how far a job is, down to the running units."""
        ahead = Ahead()
        if not job.state.terminal:
            async for unit in self.units.walk_group(job.id, job.watermark):
                ahead.add(unit)
        return measure(job, ahead, await self.jobs.store.now())

    async def wait(self, principal: Principal, job_id: str, seconds: float) -> Job:
        """Return the job once it is terminal, or as it is when the time has run out."""
        clock = self.jobs.store
        until = await clock.now() + seconds * 1000
        with self.bell.listen(f"job:{job_id}") as ear:
            while True:
                ear.clear()
                job = await self.get(principal, job_id)
                left = (until - await clock.now()) / 1000
                if job.state.terminal or left <= 0:
                    return job
                await ear.wait(min(1.0, left))

    async def watch(self, principal: Principal, job_id: str) -> AsyncIterator[Job]:
        """Yield the job now and at each change, looked at once a second, until it is terminal."""
        with self.bell.listen(f"job:{job_id}") as ear:
            while True:
                ear.clear()
                job = await self.get(principal, job_id)
                yield job
                if job.state.terminal:
                    return
                await ear.wait(1.0)

    async def outcomes(
        self, principal: Principal, job_id: str, after: str | None, limit: int
    ) -> Page[Result]:
        """List what the items of the last stage became, in order."""
        job = await self.get(principal, job_id)
        return await self.results.of_stage(job.id, job.stage, after, limit)

    # -- change ---------------------------------------------------------------------------------

    async def cancel(self, principal: Principal, job_id: str) -> Job:
        """Stop a job; what is done stays. Again is harmless; `Conflict` once it has ended."""
        job = await self.access.load(principal, Job, job_id, Right.EDIT)
        while not job.cancelling:
            if job.state.terminal:
                raise Conflict(f"The job has already ended: {job.state}.", state=job.state)
            unit = cancellation(job, await self.jobs.store.now())
            await self._try(self._cancelling(job), unit)
            job = await self._again(job_id)
        log.info("job cancelled", action="job_cancelled", **job.log_context())
        await self.bell.ring(f"work:{job.klass}")
        return job

    def _cancelling(self, job: Job) -> Update:
        changes = {"cancelling": True, "state": JobState.CANCELLING}
        guard = (Equals("state", job.state), Equals("cancelling", False))
        return Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard)

    async def _try(self, change: Update, unit: Unit) -> None:
        """Write a change of the job together with a unit; nothing when the job moved on."""
        with suppress(ConditionFailed):
            await self.units.commit(change, Put(unit), wake=lane_of(unit))

    async def _again(self, job_id: str) -> Job:
        """Read a job once more; raises `NotFound` when it was deleted meanwhile."""
        job = await self.jobs.need(job_id)
        if job.hidden:
            raise NotFound(f"There is no job {job_id}.")
        return job

    async def retry(self, principal: Principal, job_id: str) -> Job:
        """Run the failed items of an ended job again, as its next generation.

        A job whose download could not be prepared is ended again. Raises `Conflict` for a job
        that has not ended or has nothing to run again.
        """
        job = await self.access.load(principal, Job, job_id, Right.EDIT)
        if not job.state.terminal:
            raise Conflict(f"The job has not ended yet: {job.state}.", state=job.state)
        if not job.counts.failed and job.layout is not None:
            raise Conflict("The job has no failed items.", state=job.state)
        generation = job.generation
        while job.generation == generation:
            now = await self.jobs.store.now()
            following = job.evolve(generation=generation + 1)
            unit = pass_unit(following, "expand", now, only="failed")
            await self._try(self._reopened(job), unit)
            job = await self._again(job_id)
        log.info("job retried", action="job_retried", **job.log_context())
        await self.bell.ring(f"work:{job.klass}")
        return job

    def _reopened(self, job: Job) -> Update:
        """Make the update that opens a job's next generation."""
        counts = Counts(
            succeeded=job.counts.succeeded,
            reused=job.counts.reused,
            cancelled=job.counts.cancelled,
        )
        changes: dict[str, Any] = {
            "state": JobState.EXPANDING,
            "generation": job.generation + 1,
            "counts": counts,
            "expanded": False,
            "cancelling": False,
            "active": job.owner,
            "open": "open",
            "checked": 0,
            "finished": None,
            "layout": None,
            "download_size": 0,
            "download_etag": "",
            "error": "",
        }
        guard = (
            Equals("generation", job.generation),
            Equals("state", job.state),
            Equals("deleted", None),
        )
        return Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard)

    async def delete(self, principal: Principal, job_id: str) -> None:
        """Cancel a job, hide it at once, and remove its results when its work has stopped."""
        job = await self.access.load(principal, Job, job_id, Right.OWN)
        with suppress(Conflict):  # it has ended, perhaps just now
            await self.cancel(principal, job_id)
        now = await self.jobs.store.now()
        gone = {"deleted": now, "listed": None}
        hidden = Update(Job, (job.id,), set=gone, when=(Equals("deleted", None),))
        purge = Unit(
            group=f"purge:{job.id}",
            seq=0,
            kind="purge_job",
            owner=job.owner,
            klass="housekeeping",
            cost=0.5,
            payload={"purge": job.id},
            created=now,
        )
        await self.units.insert([purge.opened(now)], hidden)
        log.info("job deleted", action="job_deleted", **job.log_context())
        await self.bell.ring("work:housekeeping")
