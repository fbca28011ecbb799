"""Jobs as their owner sees them: submit, watch, cancel, retry, read what came of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.errors import ConditionFailed, Conflict, NotFound, Unavailable
from mediamill.core.ids import new_id
from mediamill.core.tracing import span
from mediamill.engine.announcing import Announcer
from mediamill.engine.expand import UNITS_PER_STEP
from mediamill.engine.stages import Piece, cancellation, item_units, pack, pass_unit, split
from mediamill.services.access import Access
from mediamill.services.jobs.outliers import outlying
from mediamill.services.jobs.progress import Ahead, Progress, measure
from mediamill.services.jobs.queue import Queue
from mediamill.services.jobs.requests import Checked, JobRequest, Requests
from mediamill.services.jobs.retrying import Only, Retry, opened
from mediamill.services.repeats.attempts import made_before
from mediamill.services.sifting import sift
from mediamill.store.port import Absent, Action, Check, Equals, Page, Put, Update
from mediamill.store.repositories.gates import Gates
from mediamill.store.repositories.jobs import (
    PAGE_ENTRIES,
    Job,
    Jobs,
    JobState,
    Manifests,
)
from mediamill.store.repositories.results import Result, Results
from mediamill.store.repositories.spending import MICRO, month_of
from mediamill.store.repositories.units import Unit, Units, lane_of
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)

Chosen = Callable[[Job], bool]
LOOKS = 20
"""How often inputs are looked at while others of the owner's files go for good."""
PAGES_LOOKED_AT, STEP = 50, 100
"""So many pages of jobs are looked through for one page of chosen ones, of so many each."""


@dataclass
class JobService:
    """What a caller may do with jobs."""

    access: Access
    jobs: Jobs
    units: Units
    manifests: Manifests
    results: Results
    usages: Usages
    requests: Requests
    bell: Doorbell
    queue: Queue
    announcer: Announcer

    # -- submit ---------------------------------------------------------------------------------

    async def submit(self, principal: Principal, request: JobRequest, job_id: str = "") -> Job:
        """Accept a job: when this returns, it is durable and will reach a terminal state.

        It has the id that its caller made for it, if they did; then it is theirs to find out
        whether they have submitted it before.

        Raises `InvalidInput` with one entry in `details["errors"]` per wrong file or parameter, and
        `QuotaExceeded` when the caller has no room for results, another job or its items.
        """
        if not job_id and (made := await made_before(self.jobs.store, principal, Job, "job")):
            return made
        job_id, gates = job_id or new_id("job"), Gates(self.jobs.store)
        with span("submit job", job=job_id):
            for _ in range(LOOKS):
                turn, now = await gates.turn(principal.user), await self.jobs.store.now()
                checked = await self.requests.check(principal, request)
                await self.usages.require(principal.user, 1)
                try:
                    gate = gates.still(principal.user, turn)
                    return await self._accept(principal, checked, job_id, now, gate)
                except ConditionFailed:
                    continue  # something went for good meanwhile: it may have been an input
        raise Unavailable("Files of yours are being removed just now: try again in a moment.")

    async def _accept(
        self, principal: Principal, checked: Checked, job_id: str, now: int, gate: Check
    ) -> Job:
        """Write a job that was checked after `now` (ms); raises `ConditionFailed` for its gate."""
        packed = pack(checked.pieces())
        cost = sum(p.cost for unit in packed for p in unit)
        job = checked.draft(principal, cost, now, job_id)
        job = job.evolve(inputs=await self.manifests.noted(job.id, job.inputs))
        entries = [one.entry for one in checked.inputs()] if checked.listed else []
        pages = [
            await self.manifests.page(job.id, 0, page, entries[start : start + PAGE_ENTRIES])
            for page, start in enumerate(range(0, len(entries), PAGE_ENTRIES))
        ]
        if not await self._insert(job, [gate, *pages], packed, now):
            return await self.get(principal, job.id)
        log.info("job accepted", action="job_accepted", items=job.items, **job.log_context())
        await self.bell.ring(f"jobs:{job.owner}")
        return await self.jobs.need(job.id)

    async def _insert(
        self, job: Job, others: Sequence[Action], packed: Sequence[Sequence[Piece]], now: int
    ) -> bool:
        """Commit the job with its units, or with the unit that will list or expand its inputs.

        False when an earlier attempt at the same request was faster; raises `QuotaExceeded`, and
        `ConditionFailed` for the other actions, which are its gate and its pages.
        """
        if job.inputs:
            units = [pass_unit(job, "gather", now)]
        elif len(packed) + len(others) <= UNITS_PER_STEP:
            stage = split(self.requests.catalogue.build_all(job.steps))[0]
            units = item_units(job, stage, packed, 0, now)
            cost = sum(unit.cost for unit in units)
            job = job.evolve(state=JobState.RUNNING, expanded=True, units=len(units), cost=cost)
        else:
            units = [pass_unit(job, "expand", now)]
        units += await self.announcer.of_job("job.accepted", job, now)
        job = opened(job, now)
        charge = await self.usages.open_job(job.owner, job.month, job.reserved)
        actions: tuple[Action, ...] = (Put(job, when=(Absent(),)), *others, *charge)
        try:
            async with self.usages.refusing(job.owner, actions):
                await self.units.insert(units, *actions)
        except ConditionFailed as error:
            if error.action == 0:
                return False
            raise
        for klass in dict.fromkeys(unit.klass for unit in units):
            await self.bell.ring(f"work:{klass}")
        return True

    # -- read -----------------------------------------------------------------------------------

    async def list(
        self,
        principal: Principal,
        after: str | None,
        limit: int,
        chosen: Chosen | None = None,
        *,
        unfinished: bool = False,
    ) -> Page[Job]:
        """List the caller's jobs, newest first: all, or those that are `chosen`, or `unfinished`.

        A page may then hold few, or none, where most are not.
        """
        if chosen is None and not unfinished:
            return await self.jobs.of_owner(principal.user, after, limit)
        owner = principal.user

        def walk(after: str | None, most: int) -> Awaitable[Page[Job]]:
            if not unfinished:
                return self.jobs.of_owner(owner, after, most)
            return self.jobs.unfinished(owner, after=after, limit=most, descending=True)

        def fits(job: Job) -> bool:
            return not job.hidden and (chosen is None or chosen(job))

        return await sift(walk, fits, after, limit, pages=PAGES_LOOKED_AT, step=STEP)

    async def get(self, principal: Principal, job_id: str) -> Job:
        """Return one job; raises `NotFound`."""
        return await self.access.load(principal, Job, job_id)

    async def progress(self, job: Job) -> Progress:
        """Measure how far a job is, down to the running units; before them, its place in line."""
        ahead = Ahead()
        if not job.state.terminal:
            async for unit in self.units.walk_group(job.id, job.watermark):
                ahead.add(unit)
        now = await self.jobs.store.now()
        progress = measure(job, ahead, now)
        if job.state.terminal or progress.started is not None:
            return progress
        return progress.waiting(await self.queue.place(job, now, ahead.klass or job.klass))

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

    async def outcomes(
        self, principal: Principal, job_id: str, after: str | None, limit: int
    ) -> Page[Result]:
        """List what the items of the last stage became, in order."""
        job = await self.get(principal, job_id)
        page = await self.results.of_stage(job.id, job.stage, after, limit)
        return Page(tuple(row for row in page.rows if not row.expired), page.after)

    async def outliers(
        self, principal: Principal, job_id: str, after: str | None, limit: int, rounds: int = 10
    ) -> Page[Result]:
        """List the images that preprocess marked, in whatever stage.

        At most so many rounds of `limit` results are looked at: a page may hold fewer than there
        are, or none, and have others after it.
        """
        job = await self.get(principal, job_id)
        for _ in range(rounds):
            page = await self.results.of_job(job.id, after, limit)
            found = tuple(row for row in page.rows if not row.expired and outlying(row))
            after = page.after
            if found or after is None:
                break
        return Page(found, after)

    async def all_outcomes(self, job: Job) -> AsyncIterator[Result]:
        """Visit where every item ended: failures of earlier stages, then the last stage."""
        async for result in self.results.failed_before(job.id, job.stage, job.finished):
            if not result.expired:
                yield result
        async for result in self.results.walk_stage(job.id, job.stage):
            if not result.expired:
                yield result

    # -- change ---------------------------------------------------------------------------------

    async def cancel(self, principal: Principal, job_id: str) -> Job:
        """Stop a job; what is done stays. Again is harmless; `Conflict` once it has ended."""
        job = await self.access.load(principal, Job, job_id, Right.EDIT)
        while not job.cancelling:
            if job.state.terminal:
                raise Conflict(f"The job has already ended: {job.state}.", state=job.state)
            unit = cancellation(job, await self.jobs.store.now())
            await self._try((self._cancelling(job),), unit)
            job = await self._again(job_id)
        log.info("job cancelled", action="job_cancelled", **job.log_context())
        await self.bell.ring(f"work:{job.klass}")
        return job

    def _cancelling(self, job: Job) -> Update:
        changes = {"cancelling": True, "state": JobState.CANCELLING}
        guard = (Equals("state", job.state), Equals("cancelling", False))
        return Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard)

    async def _try(self, changes: Sequence[Update], *units: Unit) -> None:
        """Write changes, the job's first, together with units; nothing when the job moved on.

        Raises `ConditionFailed` for those behind the first.
        """
        lanes = [*dict.fromkeys(lane_of(unit) for unit in units)]
        try:
            await self.units.commit(*changes, *map(Put, units), wake=lanes)
        except ConditionFailed as error:
            if error.action:
                raise

    async def _again(self, job_id: str) -> Job:
        """Read a job once more; raises `NotFound` when it was deleted meanwhile."""
        job = await self.jobs.need(job_id)
        if job.hidden:
            raise NotFound(f"There is no job {job_id}.")
        return job

    async def retry(
        self,
        principal: Principal,
        job_id: str,
        only: Only = "unfinished",
        budget: float | None = None,
    ) -> Job:
        """Run the failed or cancelled items of an ended job again, as its next generation.

        `budget` is another one for all its model calls, those before included, in dollars. A job
        whose download could not be prepared is ended again. Raises `Conflict` for a job that has
        not ended or has nothing to run again, `QuotaExceeded` as for a new one.
        """
        job = await self.access.load(principal, Job, job_id, Right.EDIT)
        Retry(job, only).check()
        generation, told = job.generation, list[Unit]()
        more = None if budget is None else round(budget * MICRO)
        while job.generation == generation:
            if job.overcounted:
                await self.usages.close(job)
                job = await self._again(job_id)
                continue
            now = await self.jobs.store.now()
            retry = Retry(job, only, more, month_of(now))
            again = retry.opened()
            told = await self.announcer.of_job("job.accepted", again, now)
            charge = await self.usages.open_job(job.owner, again.month, again.reserved)
            actions = (retry.update(), *charge)
            async with self.usages.refusing(job.owner, actions):
                await self._try(actions, retry.unit(now), *told)
            job = await self._again(job_id)
        log.info("job retried", action="job_retried", only=only, **job.log_context())
        for klass in dict.fromkeys((job.klass, *(unit.klass for unit in told))):
            await self.bell.ring(f"work:{klass}")
        return job


def chosen_by(
    state: str | None, name: str, template: str = "", operation: str = "", project: str = ""
) -> Chosen | None:
    """Choose jobs by state, part of the name, whatever its case, template, operation and project.

    Of a project are those that read it and those whose results join it. None for all jobs.
    """
    if state is None and not (name or template or operation or project):
        return None
    part = name.casefold()

    def chosen(job: Job) -> bool:
        return (
            state in (None, job.state)
            and part in job.name.casefold()
            and template in ("", job.template)
            and (not operation or any(step.operation == operation for step in job.steps))
            and project in ("", job.output_project, _read_by(job))
        )

    return chosen


def _read_by(job: Job) -> str:
    """Return the project whose files are a job's inputs; empty where they come from elsewhere."""
    return str(job.inputs["id"]) if job.inputs.get("source") == "project" else ""
