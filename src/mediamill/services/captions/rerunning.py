"""Ask anew about what was rejected: the same step over the same pictures, in new jobs.

One job for each step with its parameters; members of an archive have one for each twenty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from glob import escape
from typing import Any

from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, MediamillError
from mediamill.engine.gathering.members import MAX_PATTERN, MAX_PATTERNS
from mediamill.services.captions.choosing import Choice
from mediamill.services.captions.service import CaptionService
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.services.jobs.service import JobService
from mediamill.store.repositories.captions import Caption, CaptionState
from mediamill.store.repositories.jobs import Job, Step

MOST = 1_000
"""Captions of one request."""
MOST_JOBS = 20


@dataclass(frozen=True)
class Again:
    """What came of a request: jobs, what could not be asked about, and whether there is more."""

    jobs: Sequence[Job]
    failed: Sequence[tuple[Caption, str]]
    more: bool


@dataclass(frozen=True)
class Batch:
    """Pictures that one job asks about."""

    step: Step
    named: Named
    rows: Sequence[Caption]


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
            if row.again:
                continue
            if len(rows) == MOST:
                more = True
                break
            rows.append(row)
        if not rows:
            raise InvalidInput("There are no rejected captions that were not asked about anew.")
        return await self._submit(principal, rows, providers, budget, more=more)

    async def _submit(
        self, principal: Principal, rows: Sequence[Caption], providers: Sequence[str],
        budget: float | None, *, more: bool,
    ) -> Again:  # fmt: skip
        jobs, failed = list[Job](), list[tuple[Caption, str]]()
        for batch in await self._batches(rows):
            if len(jobs) == MOST_JOBS:
                more = True
                break
            try:
                job = await self.jobs.submit(principal, _request(batch, providers, budget))
            except InvalidInput as error:
                errors = error.details.get("errors", ())
                if errors and all(one["pointer"].startswith("steps.") for one in errors):
                    raise InvalidInput.at("providers", errors[0]["message"]) from None
                failed += await self._alone(principal, batch, providers, budget, jobs, error)
                continue
            jobs.append(job)
            for row in batch.rows:
                await self.captions.asked_again(row, job.id)
        return Again(jobs, failed, more)

    async def _alone(
        self, principal: Principal, batch: Batch, providers: Sequence[str], budget: float | None,
        jobs: list[Job], error: MediamillError,
    ) -> list[tuple[Caption, str]]:  # fmt: skip
        """Ask without the files that are gone; return what cannot be asked about, and why."""
        gone = {
            int(one["pointer"].partition(".")[2]): one["message"]
            for one in error.details.get("errors", ())
            if one["pointer"].startswith("files.")
        }
        left = [row for n, row in enumerate(batch.rows) if n not in gone]
        if not gone or not left:
            return [(row, gone.get(n, error.message)) for n, row in enumerate(batch.rows)]
        files = Named(files=tuple(row.file for row in left))
        fewer = Batch(batch.step, files, left)
        jobs.append(await self.jobs.submit(principal, _request(fewer, providers, budget)))
        for row in left:
            await self.captions.asked_again(row, jobs[-1].id)
        return [(batch.rows[n], why) for n, why in gone.items()]

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
            size = MAX_PATTERNS if archive else MOST
            for start in range(0, len(some), size):
                part = _once(some[start : start + size], archive)
                found.append(Batch(steps[part[0].job], _named(part, archive), part))
        return found


def _once(rows: Sequence[Caption], archive: str) -> list[Caption]:
    """Return rows, each picture once."""
    return [*{row.path if archive else row.file: row for row in rows}.values()]


def _named(rows: Sequence[Caption], archive: str) -> Named:
    if not archive:
        return Named(files=tuple(row.file for row in rows))
    return Named(archive=archive, members=tuple(escape(row.path)[:MAX_PATTERN] for row in rows))


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
