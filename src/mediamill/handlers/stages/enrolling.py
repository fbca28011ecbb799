"""Let a job's result files join a project: with subset, split, group, and what is marked on them.

The walk goes through the results of the last stage in order and keeps its place in the unit's
payload, so whoever goes on after a kill begins where the last transaction ended; what is a member
already is passed over. After a retry only what that made joins: what somebody has taken out of the
project since stays out.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.annotations.model import ImageAnnotations
from mediamill.core.access import Right
from mediamill.core.errors import ConditionFailed, NotFound, ProjectFull
from mediamill.engine.lease import Lease
from mediamill.operations.catalogue import Catalogue
from mediamill.store.port import Update
from mediamill.store.repositories.annotation_bringing import bring
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.datasets import Datasets
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Entry, Job, Manifests
from mediamill.store.repositories.projects import Project, ProjectFile, Projects, joining
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile, Results

log = structlog.get_logger(__name__)

COUNTED = 100
TOGETHER = 25
"""Files that join in one transaction."""


@dataclass(frozen=True)
class Joining:
    """A result file about to join: its membership, and what is marked on it."""

    member: ProjectFile
    file: ResultFile


@dataclass
class Enrolling:
    """Adds result files to the project that a job names."""

    results: Results
    manifests: Manifests
    projects: Projects
    annotations: Annotations
    catalogue: Catalogue

    async def run(self, lease: Lease, job: Job) -> str:
        """Add what is not there yet; return why not, where that cannot be, else nothing."""
        if not job.output_project or job.cancelling:
            return ""
        payload = {"whole": job.joined == 0, **lease.unit.payload}
        try:
            await self._require_room(job, payload)
        except NotFound:
            return _unwelcome(job)
        except ProjectFull as error:
            return _refused(job, error, 0)
        if payload["whole"]:
            await self._classes(job)
        batch: list[Joining] = []
        try:
            async for one in self._files(job, int(payload.get("joined", 0)), payload["whole"]):
                batch.append(one)
                if len(batch) >= TOGETHER:
                    await self._join(lease, job, payload, batch)
                    batch = []
            await self._join(lease, job, payload, batch)
        except NotFound:
            return _unwelcome(job)
        except ProjectFull as error:  # somebody else was faster
            found = await self.projects.store.get(Job, job.id)
            return _refused(job, error, found.joined if found else 0)
        log.info("results joined", action="results_joined", project=job.output_project,
                 **job.log_context())  # fmt: skip
        return ""

    async def _welcome(self, job: Job) -> Project:
        """Return the project if the job's owner may still add to it; raises `NotFound`."""
        project = await self.projects.get(job.output_project)
        if project is not None and not project.hidden:
            if project.owner == job.owner:
                return project
            share = await Datasets(self.projects.store).share(job.owner, project.id)
            if share is not None and share.right >= Right.EDIT:
                return project
        raise NotFound(f"There is no project {job.output_project}.")

    async def _require_room(self, job: Job, payload: dict[str, Any]) -> None:
        """Raise `ProjectFull` before anything joins a project that has no room for all."""
        project = await self._welcome(job)
        if project.most is None:
            return
        coming, some = 0, list[str]()
        async for one in self._files(job, int(payload.get("joined", 0)), payload["whole"]):
            some.append(one.member.file)
            if len(some) == COUNTED:
                coming += len(some) - len(await self.projects.holding(project.id, some))
                some = []
        coming += len(some) - len(await self.projects.holding(project.id, some))
        project.require_room(coming)

    async def _classes(self, job: Job) -> None:
        """Let the project know the classes of the one that the inputs come from."""
        if job.inputs.get("source") == "project" and job.inputs["id"] != job.output_project:
            known = await self.annotations.categories(job.inputs["id"])
            if known:
                await self.annotations.add_classes(job.output_project, known)

    async def _files(self, job: Job, start: int, whole: bool) -> AsyncIterator[Joining]:
        """Visit the result files from an item on, with what their inputs were."""
        page, entries, now = -1, list[Entry](), await self.projects.store.now()
        steps = self.catalogue.build_all(job.steps)
        subset = "augmented" if any(step.draws for step in steps) else "preprocessed"
        async for result in self.results.walk_stage(job.id, job.stage):
            good = result.outcome is not ItemOutcome.FAILED and not result.expired
            if (
                result.item < start
                or not good
                or not (whole or result.generation == job.generation)
            ):
                continue
            if result.item // PAGE_ENTRIES != page:
                page = result.item // PAGE_ENTRIES
                entries = await self.manifests.entries(job.id, job.stage, page)
            source = entries[result.item % PAGE_ENTRIES]
            for n, file in result.outputs:
                yield Joining(_member(job, result, n, source, subset, now), file)

    async def _join(
        self, lease: Lease, job: Job, payload: dict[str, Any], batch: Sequence[Joining]
    ) -> None:
        """Add some files and move the checkpoint; raises `NotFound`, `ProjectFull`."""
        project, row = job.output_project, await self._welcome(job)
        while batch:
            held = await self.projects.holding(project, [one.member.file for one in batch])
            new = [one for one in batch if one.member.file not in held]
            await self._mark(project, new)
            count = Update(Job, (job.id,), add={"joined": len(new), "revision": 1})
            last = int(batch[-1].member.file.split("-")[-2])
            more = joining(row, [one.member for one in new]) if new else []
            try:
                await lease.write(count, *more, payload={**payload, "joined": last})
            except ConditionFailed:  # somebody added one of them, or the project has gone
                row = await self._welcome(job)
                held = await self.projects.holding(project, [one.member.file for one in batch])
                row.require_room(len(batch) - len(held))
            else:
                return

    async def _mark(self, project: str, batch: Sequence[Joining]) -> None:
        """Write what is marked on files that are about to join."""
        marks = {one.member.file: await self._marks(one.file) for one in batch}
        found = {file: content for file, content in marks.items() if content is not None}
        if found:  # what is made already joins whatever the quota
            await bring(self.annotations.unbounded(), project, found)

    async def _marks(self, file: ResultFile) -> ImageAnnotations | None:
        """Return what is marked on a result; None for nothing."""
        data = file.annotations
        if file.annotations_blob:
            data = await self.manifests.blobs.get(file.annotations_blob)
        content = ImageAnnotations.decode(data) if data else None
        return content if content and (content.annotations or content.labels) else None


def _member(job: Job, result: Result, n: int, source: Entry, subset: str, now: int) -> ProjectFile:
    """Make the membership of a result; what was made of one file stays in one group."""
    return ProjectFile(
        project=job.output_project,
        file=result.file_id(n),
        job=job.id,
        added=now,
        subset=subset,
        split=source.split,
        group=source.group or result.source or "",
    )


def _refused(job: Job, error: ProjectFull, joined: int) -> str:
    """Say what of a job's results is not in its project, and why."""
    what = f"{joined:,} of the results joined" if joined else "None of the results joined"
    return f"{what} {job.output_project}; all of them are the job's. {error.message}"


def _unwelcome(job: Job) -> str:
    return f"The results could not join {job.output_project}: it is not there any more for you."
