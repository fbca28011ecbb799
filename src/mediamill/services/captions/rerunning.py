"""Ask anew about what was rejected: the same step over the same pictures, in new jobs.

One job for each step with its parameters; members of an archive have one for each twenty. A caption
names the job that asks anew about it before that is submitted, so of two requests one asks. If that
was cut off in between, there is no such job, and after a while the caption may be asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mediamill.core.access import Principal
from mediamill.core.clock import MINUTE
from mediamill.core.errors import InvalidInput, MediamillError
from mediamill.core.ids import made_at, new_id
from mediamill.engine.gathering.members import MAX_PATTERN
from mediamill.services.captions.choosing import Choice
from mediamill.services.captions.service import CaptionService
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.services.jobs.service import JobService
from mediamill.store.repositories.captions import Caption, CaptionState
from mediamill.store.repositories.jobs import Job, Step

MOST, MOST_MEMBERS = 1_000, 20
"""Captions of one request; members of an archive of one job."""
MOST_JOBS = 20
SUBMITTED_MS = 10 * MINUTE
"""After so long a job that was to ask anew is there, or will never be."""
NOTHING = "There are no rejected captions that were not asked about anew."


@dataclass(frozen=True)
class Again:
    """What came of a request: jobs, what could not be asked about, and whether there is more."""

    jobs: Sequence[Job]
    failed: Sequence[tuple[Caption, str]]
    more: bool


@dataclass(frozen=True)
class Batch:
    """Pictures that one job asks about, with the captions of each."""

    step: Step
    archive: str
    """Whose members they are; empty for files."""
    pictures: Mapping[str, Sequence[Caption]]
    """By file, or by path in the archive."""

    @property
    def rows(self) -> list[Caption]:
        return [row for rows in self.pictures.values() for row in rows]

    @property
    def named(self) -> Named:
        """Name them as a job's inputs."""
        if not self.archive:
            return Named(files=tuple(self.pictures))
        members = tuple(path[:MAX_PATTERN] for path in self.pictures)
        return Named(archive=self.archive, members=members)

    def of(self, rows: Sequence[Caption]) -> "Batch":
        """Return it with some of the captions only, as they are now."""
        return Batch(self.step, self.archive, _by_picture(rows, self.archive))


@dataclass
class _Round:
    """One request: how to ask, and what has come of it so far."""

    principal: Principal
    providers: Sequence[str]
    budget: float | None
    jobs: list[Job] = field(default_factory=list)
    failed: list[tuple[Caption, str]] = field(default_factory=list)


@dataclass
class Rerunning:
    """Submits the jobs."""

    captions: CaptionService
    jobs: JobService

    async def rejected(
        self, principal: Principal, choice: Choice, providers: Sequence[str] = (),
        budget: float | None = None,
    ) -> Again:  # fmt: skip
        """Ask anew about what was rejected and not asked about since.

        `providers` are asked instead of those of before. Raises `InvalidInput` where there is
        nothing to ask about, and for a provider that there is not.
        """
        choice = Choice(choice.owner, choice.job, CaptionState.REJECTED, choice.query)
        rows, more = list[Caption](), False
        async for row in self.captions.choosing.walk(choice):
            if row.again and await self._asks(row.again):
                continue
            if len(rows) == MOST:
                more = True
                break
            rows.append(row)
        asking = _Round(principal, providers, budget)
        for batch in await self._batches(rows):
            if len(asking.jobs) == MOST_JOBS:
                more = True
                break
            await self._ask(batch, asking)
        if not asking.jobs and not asking.failed:
            raise InvalidInput(NOTHING)
        return Again(asking.jobs, asking.failed, more)

    async def _asks(self, job: str) -> bool:
        """Tell whether a job that was to ask anew is there, or may yet be."""
        store = self.captions.store
        if await store.get(Job, job) is not None:
            return True
        return await store.now() - made_at(job) < SUBMITTED_MS

    async def _ask(self, batch: Batch, asking: _Round) -> None:
        """Submit the job of a batch, for what no other request asks about."""
        job = await self._new_id()
        noted = [await self.captions.asked_again(row, job) for row in batch.rows]
        batch = batch.of([row for row in noted if row is not None])
        if not batch.pictures:
            return
        try:
            try:
                await self._submit(job, batch, asking)
            except InvalidInput as error:
                errors = error.details.get("errors", ())
                if errors and all(one["pointer"].startswith("steps.") for one in errors):
                    raise InvalidInput.at("providers", errors[0]["message"]) from None
                await self._without_gone(job, batch, asking, error)
        except MediamillError:
            await self._give_back(batch.rows)
            raise

    async def _submit(self, job: str, batch: Batch, asking: _Round) -> None:
        request = _request(batch, asking.providers, asking.budget)
        asking.jobs.append(await self.jobs.submit(asking.principal, request, job))

    async def _without_gone(
        self, job: str, batch: Batch, asking: _Round, error: MediamillError
    ) -> None:
        """Ask without the files that are gone; those cannot be asked about."""
        gone = {
            int(one["pointer"].partition(".")[2]): one["message"]
            for one in error.details.get("errors", ())
            if one["pointer"].startswith("files.")
        }
        left, lost = list[Caption](), list[tuple[Caption, str]]()
        for n, rows in enumerate(batch.pictures.values()):
            if n in gone or not gone:
                lost += [(row, gone.get(n, error.message)) for row in rows]
            else:
                left += rows
        if left:
            await self._submit(job, batch.of(left), asking)
        asking.failed += lost
        await self._give_back([row for row, _ in lost])

    async def _give_back(self, rows: Sequence[Caption]) -> None:
        """Note that captions are not asked about after all."""
        for row in rows:
            await self.captions.asked_again(row, "")

    async def _new_id(self) -> str:
        """Make the id of a job that an earlier attempt at this request has not made."""
        while await self.captions.store.get(Job, job := new_id("job")) is not None:
            pass
        return job

    async def _batches(self, rows: Sequence[Caption]) -> list[Batch]:
        """Put together what one job can ask about."""
        steps: dict[str, Step] = {}
        groups: dict[tuple[str, str], list[Caption]] = {}
        for row in rows:
            if row.job not in steps:
                job = await self.captions.store.get(Job, row.job)
                steps[row.job] = _step(job, row)
            step = steps[row.job]
            archive = row.file if row.path else ""
            key = f"{step.operation} {sorted(step.parameters.items())!r}", archive
            groups.setdefault(key, []).append(row)
        found = list[Batch]()
        for (_, archive), some in groups.items():
            step, pictures = steps[some[0].job], [*_by_picture(some, archive).items()]
            size = MOST_MEMBERS if archive else MOST
            for start in range(0, len(pictures), size):
                found.append(Batch(step, archive, dict(pictures[start : start + size])))
        return found


def _by_picture(rows: Sequence[Caption], archive: str) -> dict[str, list[Caption]]:
    """Return captions by what they are of."""
    found = dict[str, list[Caption]]()
    for row in rows:
        found.setdefault(row.path if archive else row.file, []).append(row)
    return found


def _step(job: Job | None, row: Caption) -> Step:
    if job is None:  # purged at this moment
        return Step(operation=row.operation, parameters={})
    return next(step for step in reversed(job.steps) if step.operation == row.operation)


def _request(batch: Batch, providers: Sequence[str], budget: float | None) -> JobRequest:
    parameters: dict[str, Any] = dict(batch.step.parameters)
    if providers:
        parameters["providers"] = [*providers]
    return JobRequest(
        named=batch.named,
        steps=((batch.step.operation, parameters),),
        name=f"Again: {batch.step.operation}",
        reuse=False,
        budget=budget,
    )
