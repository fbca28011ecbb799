"""Files as their owner sees them: list, show, read, delete."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal, Right
from mediamill.core.clock import DAY
from mediamill.core.errors import Conflict, NotFound
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.store.port import Equals, Page, Store, Update
from mediamill.store.repositories.files import File, Files, FileState
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import parse_result_file
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

UNDO_MS = DAY
"""How long a deleted file can be brought back."""


def stored(blobs: Blobs, file: File) -> Content:
    """Return the bytes of a file as they are stored."""
    return blob_content(blobs, file.blob, file.name, file.media_type, file.size, file.sha256)


def blob_content(
    blobs: Blobs, blob: str, name: str, media_type: str, size: int, etag: str
) -> Content:
    """Return a blob as something to serve."""

    def read(start: int, stop: int) -> AsyncIterator[bytes]:
        return blobs.read(blob, start, stop)

    return Content(name, media_type, size, etag, read)


@dataclass
class FileService:
    """What a caller may do with files."""

    store: Store
    access: Access
    files: Files
    lookup: FileLookup
    units: Units
    blobs: Blobs
    results: Blobs
    bell: Doorbell

    async def list(self, principal: Principal, after: str | None, limit: int) -> Page[File]:
        """List the caller's files, newest first."""
        return await self.files.of_owner(principal.user, after, limit)

    async def get(self, principal: Principal, file_id: str) -> File:
        """Return one file, uploaded or made by a job; raises `NotFound`."""
        if parse_result_file(file_id) is None:
            return await self.access.load(principal, File, file_id)
        file = await self.lookup.get(file_id)
        if file is None or not principal.may(file.owner, file.id, Right.VIEW):
            raise NotFound(f"There is no file {file_id}.")
        return file

    async def content(self, principal: Principal, file_id: str) -> Content:
        """Return a file's bytes, as they were given or made."""
        file = await self.get(principal, file_id)
        return stored(self.home_of(file), file)

    def home_of(self, file: File) -> Blobs:
        """Return the store that holds a file's bytes."""
        return self.results if file.source == "result" else self.blobs

    async def thumbnail(self, principal: Principal, file_id: str) -> Content:
        """Return a file's thumbnail; raises `NotFound`, `pending` while it is being made."""
        file = await self.get(principal, file_id)
        if not file.thumbnail:
            pending = file.thumbnail is None and file.source != "result"
            raise NotFound(f"{file.name} has no thumbnail.", pending=pending)
        info = await self.blobs.info(file.thumbnail)
        etag = f"t-{file.sha256}"
        return blob_content(
            self.blobs, file.thumbnail, f"{file.name}.jpg", "image/jpeg", info.size, etag
        )

    async def delete(self, principal: Principal, file_id: str, *, now: bool = False) -> None:
        """Hide a file at once; its bytes go a day later, or when no running job needs them."""
        if parse_result_file(file_id) is not None:
            raise Conflict("Results belong to their job: delete the job instead.")
        file = await self.access.load(principal, File, file_id, Right.OWN)
        time = await self.store.now()
        unit = Unit(
            group=f"purge:{file.id}",
            seq=time,
            kind="purge_file",
            owner=file.owner,
            klass="housekeeping",
            cost=0.05,
            payload={"file": file.id},
            created=time,
        ).opened(time if now else time + UNDO_MS)
        hiding = Update(
            File,
            (file.id,),
            set={"state": FileState.TRASHED, "listed": None, "trashed": time},
            when=(Equals("state", file.state),),
        )
        await self.units.insert([unit], hiding)
        log.info("file deleted", action="file_deleted", now=now, **file.log_context())
        await self.bell.ring("work:housekeeping")
