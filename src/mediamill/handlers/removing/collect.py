"""`collect`: remove blobs that no row names, long after whoever wrote them has gone.

Such orphans come from uploads cut between the bytes and the row, and from claims that lost their
lease. A result blob carries the fence it was written under in its name
(`results/{job}/{seq}-{fence}-{item}-{n}`): it is an orphan only when no result names it *and* its
unit has closed or been claimed again. Younger than the grace period, everything is left alone.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

import structlog

from mediamill.blobs.port import BlobInfo, Blobs, SupportsPresigned
from mediamill.core.clock import DAY, HOUR, Clock
from mediamill.engine.lease import Lease
from mediamill.store.port import Store, key_index
from mediamill.store.repositories.annotation_rows import (
    KEPT,
    AnnotationBook,
    AnnotationHistory,
    FileAnnotations,
)
from mediamill.store.repositories.datasets import DatasetVersion, ProjectTask
from mediamill.store.repositories.feedback import Feedback
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import INCOMING, Upload, UploadPart
from mediamill.store.repositories.versions import Versions

log = structlog.get_logger(__name__)

RESULT_NAME = re.compile(r"^(\d+)-(\d+)-(\d+)-\d+$")
PREFIXES = (
    "files", "imports", "incoming", "thumbnails", "uploads", "manifests", "layouts", "results",
    "versions", "frozen", "tasks", "annotations", "feedback",
)  # fmt: skip
EVERY_MS = HOUR
GRACE_MS = 6 * HOUR
KEPT_MS = DAY - GRACE_MS
"""How much longer what an import of annotations found is kept, from its end."""
EXPORTS_MS = 7 * DAY
"""How much longer exports of versions are kept: who asks again has them laid out again."""
DIRECT_MS = DAY
"""How much longer what is begun in a bucket is left alone: a direct upload may take a day."""


@dataclass
class Collect:
    """Walks all blobs once an hour."""

    recurs: ClassVar = True

    store: Store
    stores: tuple[Blobs, ...]
    clock: Clock
    grace_ms: int = GRACE_MS
    every_ms: int = EVERY_MS

    async def run(self, lease: Lease) -> None:
        removed = 0
        now = min(self.clock.now(), await self.store.now())  # a wrong clock here removes nothing
        for blobs in self.stores:
            removed += await self.collect(blobs, now)
        if removed:
            log.info("orphans removed", action="blobs_collected", blobs=removed)
        await lease.release(self.every_ms)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again in an hour."""
        await lease.release(self.every_ms, str(error))

    async def collect(self, blobs: Blobs, now: int | None = None) -> int:
        """Remove the orphans of one store as of `now`, this machine's time; return how many."""
        oldest = (self.clock.now() if now is None else now) - self.grace_ms
        removed = await blobs.sweep(oldest - DIRECT_MS * isinstance(blobs, SupportsPresigned))
        async for blob in self._orphans(blobs, oldest):
            await blobs.delete(blob.key)
            removed += 1
        return removed

    async def _orphans(self, blobs: Blobs, oldest: int) -> AsyncIterator[BlobInfo]:
        for prefix in PREFIXES:
            async for blob in blobs.list(f"{prefix}/"):
                old = blob.modified < oldest
                if old and (_stale(blob, oldest) or not await self._wanted(blob.key, oldest)):
                    yield blob

    async def _wanted(self, key: str, oldest: int) -> bool:
        """Tell whether a blob is named, or may be, or is kept for a while."""
        if key.startswith("annotations/"):
            return await self._drawn(key, oldest)
        if key.startswith("feedback/"):
            return await self._shown(key)
        return await self._named(key)

    async def _shown(self, key: str) -> bool:
        """Tell whether a blob is a picture of what a user said, or may be one yet."""
        _, noun, number = key.split("/")
        said = await self.store.get(Feedback, noun)
        return said is not None and (said.copies is None or int(number) <= said.copies)

    async def _named(self, key: str) -> bool:
        """Tell whether some row names a blob, or may yet."""
        prefix, noun, *rest = key.split("/")
        if prefix == "uploads":
            return await self._part_named(key, noun, rest[0])
        if prefix == INCOMING:
            return await self.store.get(Upload, noun) is not None
        if prefix in ("versions", "frozen"):
            return await self.store.get(DatasetVersion, noun, int(rest[0])) is not None
        if prefix == "tasks":
            return await self.store.get(ProjectTask, noun, rest[0]) is not None
        if prefix in ("files", "thumbnails", "imports"):
            return await self._file_named(key, prefix, noun, version=bool(rest))
        return await self._of_job(key, prefix, noun, rest)

    async def _drawn(self, key: str, oldest: int) -> bool:
        """Tell whether a blob is of what is drawn, of classes, or of an import of late."""
        _, project, *rest = key.split("/")
        if rest[0] == "imports":
            task = await self.store.get(ProjectTask, project, rest[1])
            if task is None or task.finished is None:
                return task is not None
            return task.finished + KEPT_MS > oldest
        if rest[0] == "book":
            book = await self.store.get(AnnotationBook, project)
            return book is not None and book.blob == key
        return await self._drawn_on(key, project, rest[0])

    async def _drawn_on(self, key: str, project: str, file: str) -> bool:
        """Tell whether a blob is of what is drawn on a file, or was before.

        A change takes blobs from the row to the history and an undo takes them back, so the row
        must be the same before and after the history was read.
        """
        index = key_index(AnnotationHistory)
        row = await self.store.get(FileAnnotations, project, file)
        while row is not None and row.blob != key:
            earlier = await self.store.query(
                AnnotationHistory, index, project, at_least=file, at_most=file, limit=KEPT
            )
            if any(one.blob == key for one in earlier.rows):
                return True
            seen, row = row, await self.store.get(FileAnnotations, project, file)
            if row is not None and row.revision == seen.revision:
                return False
        return row is not None

    async def _file_named(self, key: str, prefix: str, noun: str, *, version: bool) -> bool:
        file = await self.store.get(File, noun)
        if file is not None and file.state in (FileState.RECEIVING, FileState.CHECKING):
            return True
        if prefix == "imports":
            return False
        if file is None or prefix == "thumbnails" or key == file.blob:
            return file is not None
        return not version or key in await Versions(self.store).blobs(noun)

    async def _of_job(self, key: str, prefix: str, noun: str, rest: list[str]) -> bool:
        job = await self.store.get(Job, noun)
        if job is None or prefix == "manifests":
            return job is not None
        if prefix == "layouts":
            current = (job.layout or "").removesuffix("-layout")
            return not job.state.terminal or (bool(current) and key.startswith(f"{current}-"))
        return await self._result_named(job, key, rest[0])

    async def _part_named(self, key: str, upload: str, name: str) -> bool:
        start = name.partition("-")[0]
        if not start.isdecimal():
            return True  # not of this program's making
        part = await self.store.get(UploadPart, upload, int(start))
        return part is not None and part.blob == key

    async def _result_named(self, job: Job, key: str, name: str) -> bool:
        written = RESULT_NAME.match(name)
        if written is None:
            return True  # not of this program's making
        seq, fence, item = (int(number) for number in written.groups())
        unit = await self.store.get(Unit, job.id, seq)
        if unit is None or (unit.state.open and unit.fence <= fence):
            return unit is not None
        if "parent" in unit.payload:  # a part, until the whole is made of it
            whole = await self.store.get(Unit, job.id, int(unit.payload["parent"]))
            return whole is not None and whole.state.open
        stage = int(unit.payload["stage"])
        result = await self.store.get(Result, job.id, stage, item)
        return result is not None and any(key in file.blobs for file in result.files)


def _stale(blob: BlobInfo, oldest: int) -> bool:
    """Tell whether a blob is of an export that is old; what says that there is one goes first."""
    parts = blob.key.endswith(("-content", "-layout"))
    kept = EXPORTS_MS + (DAY if parts else 0)
    return "/exports/" in blob.key and blob.modified < oldest - kept
