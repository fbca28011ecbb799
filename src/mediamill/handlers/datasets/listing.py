"""What a version is made of: the members of a project, or what its steps made of them.

Members are read by file id, so each is there once, whoever moves some beside it.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.errors import Conflict
from mediamill.datasets.document import NOTHING, Entry, Groups, Image, Paths
from mediamill.handlers.datasets.owning import Given
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.datasets import DatasetVersion
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job, Jobs, JobState, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import Projects
from mediamill.store.repositories.results import ItemOutcome, Result, Results

BATCH = 500
CUT_SHORT = (JobState.CANCELLED, JobState.EXPIRED, JobState.FAILED)


@dataclass(frozen=True)
class Found:
    """An image to be fixed."""

    file: File
    subset: str
    split: str
    group: str
    annotations: bytes
    root: str = ""
    """The file that came in and of which it was made, where that is known already."""


@dataclass
class Listing:
    """Finds the images of a version."""

    projects: Projects
    lookup: FileLookup
    jobs: Jobs
    results: Results
    manifests: Manifests
    annotations: Annotations
    made: Blobs
    """The store of what jobs made."""

    async def job(self, version: DatasetVersion) -> Job:
        """Return the job of a version's steps; raises `Conflict` when it came to nothing."""
        job = await self.jobs.get(version.job)
        if job is None or job.hidden:
            raise Conflict("The job of its steps was deleted: make the version again.")
        if job.state in CUT_SHORT:
            message = f"The job of its steps is {job.state}: see {job.id}, make the version again."
            raise Conflict(message)
        return job

    def walk(self, version: DatasetVersion, left: Counter[str]) -> AsyncIterator[list[Found]]:
        """Visit what is fixed; `left` counts what is left out, by why."""
        return self._made(version, left) if version.job else self._members(version, left)

    async def _members(
        self, version: DatasetVersion, left: Counter[str]
    ) -> AsyncIterator[list[Found]]:
        after: str | None = None
        while True:
            page = await self.projects.members(version.project, after, BATCH)
            rows = [row for row in page.rows if row.subset in version.request["subsets"]]
            ids = [row.file for row in rows]
            files = await self.lookup.get_many(ids)
            marks = await self.annotations.of(version.project, ids)
            found = [
                Found(file, row.subset, row.split, row.group, marks.get(row.file, b""))
                for row, file in zip(rows, files, strict=True)
                if file is not None and _fits(file)
            ]
            left["unusable"] += len(rows) - len(found)
            yield found
            if (after := page.after) is None:
                return

    async def _made(
        self, version: DatasetVersion, left: Counter[str]
    ) -> AsyncIterator[list[Found]]:
        """Visit what the job's last stage made, and its inputs of which that made nothing."""
        job = await self.job(version)
        waiting: list[Result] = []
        async for result in self.results.walk_stage(job.id, job.stage):
            waiting.append(result)
            if len(waiting) == BATCH:
                yield await self._outputs(job, waiting, left)
                waiting = []
        if waiting:
            yield await self._outputs(job, waiting, left)

    async def _outputs(self, job: Job, rows: Sequence[Result], left: Counter[str]) -> list[Found]:
        entries = await self.manifests.at(job.id, job.stage, [row.item for row in rows])
        augments = any(step.operation == "augment" for step in job.steps)
        subset = "augmented" if augments else "preprocessed"
        ids = [
            row.file_id(n) for row in rows for n in range(len(row.files))
        ] + [entries[row.item].file for row in rows if not row.files]  # fmt: skip
        files = {file.id: file for file in await self.lookup.get_many(ids) if file is not None}
        found: list[Found] = []
        for row in rows:
            entry = entries[row.item]
            group = entry.group or row.source or entry.file
            if row.outcome is ItemOutcome.FAILED or row.expired:
                left["expired" if row.expired else "failed"] += 1
                continue
            for n, made in enumerate(row.files):
                file = files.get(row.file_id(n))
                if file is None or not _fits(file):
                    left["unusable"] += 1
                    continue
                marked = made.annotations
                if made.annotations_blob:
                    marked = await self.made.get(made.annotations_blob)
                root = row.source or file.id
                found.append(Found(file, subset, entry.split, group, marked, root))
            source = files.get(entry.file)
            if not row.files and entry.place is None:
                if source is None or not _fits(source):
                    left["unusable"] += 1
                    continue
                marked = await self.manifests.annotations(entry)
                found.append(Found(source, "original", entry.split, group, marked))
        return found


def _fits(file: File) -> bool:
    return file.media_type.startswith("image/") and not file.hidden and not file.obstacle


def entry_of(one: Found, given: Given, root: str, paths: Paths, groups: Groups) -> Entry:
    """Describe an image as it is fixed: what is given of it."""
    file = given.file
    image = Image(
        path=paths.claim(file.name, file.media_type),
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        width=file.width,
        height=file.height,
        subset=one.subset,
        split=one.split,
        group=groups.number(one.group),
        annotations=msgspec.Raw(one.annotations) if one.annotations else NOTHING,
    )
    results = file.source == "result"
    return Entry(
        image, file.id, root, file.blob, results, file.crc32, file.lineage, given.parts,
        given.upright,
    )  # fmt: skip
