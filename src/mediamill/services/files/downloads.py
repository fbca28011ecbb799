"""Downloads: a job's results as one zip, and the members of archives.

The zip is put together while it is sent. Only where that cannot be, behind a gateway that takes a
few megabytes, it is made an object for a day, and read at the store (`handlers/stages/pack.py`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs, Presigned, SupportsPresigned
from mediamill.core.access import Principal
from mediamill.core.errors import ConditionFailed, Conflict, NotFound, Packing
from mediamill.engine.cutting import etag as cut_etag
from mediamill.handlers.stages.pack import KLASS as PACKS
from mediamill.handlers.stages.pack import lines, pack_unit, packed
from mediamill.media.archive import layout
from mediamill.media.archive.names import safe_name
from mediamill.media.privacy.parts import stream
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.services.files.directories import Directories, Listing, ranged
from mediamill.services.files.service import FileService
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.units import Units

ZIP = "application/zip"


@dataclass
class Downloads:
    """Reads results and archives for their owner."""

    access: Access
    files: FileService
    results: Blobs
    directories: Directories
    units: Units
    bell: Doorbell
    direct: bool = False
    """Whether bytes may be read at the store itself."""

    async def job(self, principal: Principal, job_id: str) -> Content:
        """Return a job's results as one stored zip; raises `Conflict` until the job has ended.

        And while what has expired is taken out of it.
        """
        job = await self.access.load(principal, Job, job_id)
        if not job.state.terminal:
            message = f"The job is {job.state}: its download is ready when it has ended."
            raise Conflict(message, state=job.state)
        if job.trimming is not None:
            message = (
                "Files that this job was given have expired: its download is being made anew, "
                "without what came of them. Ask again in a moment."
            )
            raise Conflict(message, state="trimming")
        if job.layout is None:
            raise NotFound(f"The job has no download. {job.error}".strip())
        blob = job.layout

        def read(start: int, stop: int) -> AsyncIterator[bytes]:
            return layout.stream(lambda: lines(self.results, blob), self.results.read, start, stop)

        name = f"{safe_name(job.name or job.id)}.zip"
        sign = self._signing(job, name)
        size, etag = job.download_size, job.download_etag
        return Content(name, ZIP, size, etag, read, sign=sign, dear=True)

    def _signing(self, job: Job, name: str) -> Callable[[int], Awaitable[Presigned]] | None:
        """Return what signs the reading of a download that was put together, if the store does."""
        results, source = self.results, job.layout or ""
        if not self.direct or not isinstance(results, SupportsPresigned):
            return None

        async def sign(seconds: int) -> Presigned:
            await self._require_packed(job, packed(source))
            return await results.presign_get(
                packed(source), seconds=seconds, filename=name, media_type=ZIP
            )

        return sign

    async def _require_packed(self, job: Job, key: str) -> None:
        """See to it that a download lies there whole; raises `Packing` until it does."""
        with suppress(NotFound):
            if (await self.results.info(key)).size == job.download_size:
                return
        unit = pack_unit(job, await self.units.store.now())
        with suppress(ConditionFailed):  # somebody has asked before
            await self.units.insert([unit])
        known = await self.units.get(unit.group, unit.seq)
        if known is not None and known.for_workers:
            message = (
                "The download is too large for a function to put together: it waits for a worker "
                "of this service. Its results can be fetched one by one meanwhile."
            )
            raise Packing(message, for_workers=True)
        await self.bell.ring(f"work:{PACKS}")
        raise Packing("The download is being put together: ask again in a moment.")

    async def listing(self, principal: Principal, file_id: str) -> Listing:
        """List the members of an archive; raises `UnsupportedMedia` for what is none."""
        file = await self.files.ready(principal, file_id)
        return await self.directories.listing(self.files.home_of(file), file)

    async def member(self, principal: Principal, file_id: str, path: str) -> Content:
        """Return one member of an archive, read in place; to others than its owner cut.

        Raises `NotFound`, and `Forbidden` to others for what cannot be given so.
        """
        file = await self.files.ready(principal, file_id)
        found = (await self.directories.listing(self.files.home_of(file), file)).find(path)
        if found is None:
            raise NotFound(f"{file.name} has no member {path[:200]}.")
        read = self.directories.reader(self.files.home_of(file), file, found)
        name = PurePosixPath(found.name).name
        etag = f"m-{found.crc32:08x}-{found.size}-{file.sha256[:16]}"
        content = Content(name, _image_type(name), found.size, etag, read, ranged(found))
        if file.open_to(principal.user):
            return content
        key = f"{file.blob}#{found.offset}"
        cut = await self.files.cutting.of_stream(key, name, found.size, read)
        if cut.whole:
            return content
        return replace(
            content, size=cut.size, etag=cut_etag(etag),
            read=lambda start, stop: stream(read, cut.parts, start, stop),
        )  # fmt: skip


IMAGE_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def _image_type(name: str) -> str:
    """Return the type of a picture by its name, served with `nosniff`; else plain bytes."""
    return IMAGE_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
