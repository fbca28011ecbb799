"""Downloads: a job's results as one zip that is never stored, and the members of archives."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.errors import Conflict, NotFound, UnsupportedMedia
from mediamill.engine.inputs import opened
from mediamill.media.archive import layout
from mediamill.media.archive.names import safe_name
from mediamill.media.archive.read import Member, open_member, read_members
from mediamill.operations.base import Source
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.services.files import FileService
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job

DIRECTORIES = 32
"""Archives whose directory is kept in memory."""

CHUNK = 1 << 18


@dataclass
class Downloads:
    """Reads results and archives for their owner."""

    access: Access
    files: FileService
    results: Blobs
    scratch: Path
    _directories: OrderedDict[str, list[Member]] = field(default_factory=OrderedDict)

    async def job(self, principal: Principal, job_id: str) -> Content:
        """Return a job's results as one stored zip; raises `Conflict` until the job has ended."""
        job = await self.access.load(principal, Job, job_id)
        if not job.state.terminal:
            message = f"The job is {job.state}: its download is ready when it has ended."
            raise Conflict(message, state=job.state)
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

    async def members(self, principal: Principal, file_id: str) -> list[Member]:
        """List the members of an archive; raises `UnsupportedMedia` for what is none."""
        return await self._members(await self.files.get(principal, file_id))

    async def member(self, principal: Principal, file_id: str, path: str) -> Content:
        """Return one member of an archive, read in place; raises `NotFound`."""
        file = await self.files.get(principal, file_id)
        members = await self._members(file)
        found = next((member for member in members if member.name == path), None)
        if found is None:
            raise NotFound(f"{file.name} has no member {path[:200]}.")
        home = self.files.home_of(file)
        read = (
            self._stored(home, file, found) if found.stored else self._inflated(home, file, found)
        )
        name = PurePosixPath(found.name).name
        etag = f"m-{found.crc32:08x}-{found.size}-{file.sha256[:16]}"
        return Content(name, _image_type(name), found.size, etag, read)

    async def _members(self, file: File) -> list[Member]:
        if file.media_type != "application/zip":
            raise UnsupportedMedia(f"{file.name} is no zip archive, so it has no members.")
        if file.blob in self._directories:
            self._directories.move_to_end(file.blob)
            return self._directories[file.blob]
        async with opened(self.files.home_of(file), file.blob, self.scratch) as descriptor:
            source = Source(descriptor, file.name, file.media_type, file.size)
            members = await asyncio.to_thread(lambda: read_members(source.open()))
        self._directories[file.blob] = members
        while len(self._directories) > DIRECTORIES:
            self._directories.popitem(last=False)
        return members

    @staticmethod
    def _stored(home: Blobs, file: File, member: Member) -> "layout.Reader":
        return lambda start, stop: home.read(file.blob, member.offset + start, member.offset + stop)

    def _inflated(self, home: Blobs, file: File, member: Member) -> "layout.Reader":
        """Inflate a member on the way; a range costs reading what comes before it."""

        async def read(start: int, stop: int) -> AsyncIterator[bytes]:
            async with opened(home, file.blob, self.scratch) as descriptor:
                source = Source(descriptor, file.name, file.media_type, file.size)
                with open_member(source.open(), member) as stream:
                    position = 0
                    while position < stop:
                        chunk = await asyncio.to_thread(stream.read, min(CHUNK, stop - position))
                        if not chunk:
                            return
                        piece = chunk[max(0, start - position) :]
                        position += len(chunk)
                        if piece:
                            yield piece

        return read


IMAGE_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def _image_type(name: str) -> str:
    """Return the type of a picture by its name, served with `nosniff`; else plain bytes."""
    return IMAGE_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
