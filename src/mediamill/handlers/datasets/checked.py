"""The latest health check of a project, and the near-duplicates that it found."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.store.repositories.jobs import Job, Jobs, JobState
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


@dataclass(frozen=True)
class Check:
    """A finished health check: its job, the one result, the report among its files."""

    job: Job
    result: Result
    report: ResultFile


@dataclass
class Checks:
    """Finds health checks."""

    jobs: Jobs
    results: Results
    made: Blobs

    async def latest(self, project: Project, user: str) -> Check | None:
        """Return the newest finished check of a project by its owner or by a user of it."""
        found = [await self._of(owner, project.id) for owner in {project.owner, user}]
        there = [check for check in found if check is not None]
        return max(there, key=lambda check: check.job.finished or 0, default=None)

    async def _of(self, owner: str, project: str) -> Check | None:
        after: str | None = None
        for _ in range(PAGES):
            page = await self.jobs.of_owner(owner, after, PAGE)
            for job in page.rows:
                if _checks(job, project) and (found := await self._report(job)) is not None:
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

    async def groups(self, project: Project, user: str) -> Mapping[str, str] | None:
        """Return the group of duplicates of each file that is in one; None where nobody looked."""
        check = await self.latest(project, user)
        if check is None:
            return None
        report = msgspec.json.decode(await self.made.get(check.report.blob), type=Report)
        found: dict[str, str] = {}
        groups = (*report.duplicates.exact, *report.duplicates.near)
        for n, group in enumerate(groups):  # the near ones hold equal files too
            found |= {image.file: f"near-{n}" for image in group.images if image.file}
        return found


def _checks(job: Job, project: str) -> bool:
    over = job.inputs.get("source") == "project" and job.inputs.get("id") == project
    return over and job.state in GOOD and job.steps[-1].operation == OPERATION
