"""Downloads: a job's results as one zip that is never stored, and the members of archives."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.errors import Conflict, NotFound
from mediamill.media.archive import layout
from mediamill.media.archive.names import safe_name
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.services.files.directories import Directories, Listing, ranged
from mediamill.services.files.service import FileService
from mediamill.store.repositories.jobs import Job


@dataclass
class Downloads:
    """Reads results and archives for their owner."""

    access: Access
    files: FileService
    results: Blobs
    directories: Directories

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
            return layout.stream(lambda: self._lines(blob), self.results.read, start, stop)

        name = f"{safe_name(job.name or job.id)}.zip"
        return Content(name, "application/zip", job.download_size, job.download_etag, read)

    async def _lines(self, blob: str) -> AsyncIterator[layout.Member]:
        """Go through a layout without holding it."""
        rest = b""
        async for chunk in self.results.read(blob):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield layout.parse(line)

    async def listing(self, principal: Principal, file_id: str) -> Listing:
        """List the members of an archive; raises `UnsupportedMedia` for what is none."""
        file = await self.files.ready(principal, file_id)
        return await self.directories.listing(self.files.home_of(file), file)

    async def member(self, principal: Principal, file_id: str, path: str) -> Content:
        """Return one member of an archive, read in place; raises `NotFound`."""
        file = await self.files.ready(principal, file_id)
        found = (await self.directories.listing(self.files.home_of(file), file)).find(path)
        if found is None:
            raise NotFound(f"{file.name} has no member {path[:200]}.")
        read = self.directories.reader(self.files.home_of(file), file, found)
        name = PurePosixPath(found.name).name
        etag = f"m-{found.crc32:08x}-{found.size}-{file.sha256[:16]}"
        return Content(name, _image_type(name), found.size, etag, read, ranged(found))


IMAGE_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def _image_type(name: str) -> str:
    """Return the type of a picture by its name, served with `nosniff`; else plain bytes."""
    return IMAGE_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
