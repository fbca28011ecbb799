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
from mediamill.store.port import Store
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
)  # fmt: skip
EVERY_MS = HOUR
GRACE_MS = 6 * HOUR
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
                if blob.modified < oldest and not await self._named(blob.key):
                    yield blob

    async def _named(self, key: str) -> bool:
        """Tell whether some row names a blob, or may yet."""
        prefix, noun, *rest = key.split("/")
        if prefix == "uploads":
            return await self._part_named(key, noun, rest[0])
        if prefix == INCOMING:
            return await self.store.get(Upload, noun) is not None
        if prefix in ("files", "thumbnails", "imports"):
            return await self._file_named(key, prefix, noun, version=bool(rest))
        return await self._of_job(key, prefix, noun, rest)

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
        return result is not None and any(file.blob == key for file in result.files)
