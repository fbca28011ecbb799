"""The latest health check of a project, and the near-duplicates that it found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.errors import Conflict
from mediamill.store.repositories.jobs import Job, Jobs, JobState, Manifests
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.results import Result, ResultFile, Results

OPERATION, REPORT = "health-check", "application/json"
PAGES, PAGE = 10, 100
"""So many jobs of an owner are looked through, the newest first."""
GOOD = (JobState.SUCCEEDED, JobState.PARTIAL)


class Shown(msgspec.Struct):
    """An image as the report shows it."""

    file: str = ""


class Group(msgspec.Struct):
    images: list[Shown]


class Duplicates(msgspec.Struct):
    exact: list[Group]
    near: list[Group]


class Report(msgspec.Struct):
    """What is read of `health.json`."""

    duplicates: Duplicates
    broken: list[Shown] = []


@dataclass(frozen=True)
class Check:
    """A finished health check: its job, the one result, the report among its files."""

    job: Job
    result: Result
    report: ResultFile


@dataclass(frozen=True)
class Alike:
    """What a check knows of files that are alike, and of which files it knows anything."""

    groups: Mapping[str, str]
    """The group of duplicates of each file that is in one."""
    known: frozenset[str]
    """The files that it has looked at; broken ones are not among them."""


@dataclass
class Checks:
    """Finds health checks."""

    jobs: Jobs
    results: Results
    manifests: Manifests
    made: Blobs

    async def latest(self, project: Project, user: str) -> Check | None:
        """Return the newest finished check of a project by its owner or by a user of it."""
        return await self._newest(project, user, _checks)

    async def comparing(self, project: Project, user: str) -> Check:
        """Return the newest check by which near-duplicates can be kept in one split.

        Raises `Conflict` where there is none.
        """
        found = await self._newest(project, user, _compares)
        if found is None:
            raise Conflict(
                "No health check has compared the images of all splits yet: run `health-check` "
                "over the project, not over one split, with `duplicates` and without other steps; "
                "then split."
            )
        return found

    async def _newest(
        self, project: Project, user: str, wanted: Callable[[Job, str], bool]
    ) -> Check | None:
        found = [await self._of(owner, project.id, wanted) for owner in {project.owner, user}]
        there = [check for check in found if check is not None]
        return max(there, key=lambda check: check.job.finished or 0, default=None)

    async def _of(
        self, owner: str, project: str, wanted: Callable[[Job, str], bool]
    ) -> Check | None:
        after: str | None = None
        for _ in range(PAGES):
            page = await self.jobs.of_owner(owner, after, PAGE)
            for job in page.rows:
                if wanted(job, project) and (found := await self._report(job)) is not None:
                    return found
            if (after := page.after) is None:
                break
        return None

    async def _report(self, job: Job) -> Check | None:
        for result in (await self.results.of_stage(job.id, job.stage, limit=1)).rows:
            for file in result.files:
                if file.media_type == REPORT:
                    return Check(job, result, file)
        return None

    async def alike(self, project: Project, user: str) -> Alike:
        """Return what the newest check over all splits knows; raises `Conflict` without one."""
        check = await self.comparing(project, user)
        report = msgspec.json.decode(await self.made.get(check.report.blob), type=Report)
        found: dict[str, str] = {}
        groups = (*report.duplicates.exact, *report.duplicates.near)
        for n, group in enumerate(groups):  # the near ones hold equal files too
            found |= {image.file: f"near-{n}" for image in group.images if image.file}
        job, broken = check.job, {image.file for image in report.broken}
        listed = self.manifests.walk(job.id, 0, job.tallies[0].items)
        return Alike(found, frozenset({entry.file async for _, entry in listed} - broken))


def _checks(job: Job, project: str) -> bool:
    over = job.inputs.get("source") == "project" and job.inputs.get("id") == project
    return over and job.state in GOOD and job.steps[-1].operation == OPERATION


def _compares(job: Job, project: str) -> bool:
    """Tell whether a check looked for near-duplicates in all splits, among images as they are."""
    alone = len(job.steps) == 1 and bool(job.steps[0].parameters.get("duplicates", True))
    return _checks(job, project) and alone and job.inputs.get("split") is None
