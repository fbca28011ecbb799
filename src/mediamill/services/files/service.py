"""Files as their owner sees them: list, show, read, find by their bytes, delete."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from mediamill.blobs.port import Blobs, Presigned, SupportsPresigned
from mediamill.core.access import Principal
from mediamill.core.errors import Conflict, NotFound
from mediamill.engine.cutting import Cutting, bytes_of, etag
from mediamill.engine.inputs import home_of
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.services.files.listing import EVERYTHING, Listing, Wanted
from mediamill.services.files.trash import Trash
from mediamill.store.port import Page, Store
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import parse_result_file

AT_A_TIME = 16
"""Queries that run beside each other for one caller."""


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


async def thumbnail_content(blobs: Blobs, file: File) -> Content:
    """Return the thumbnail of a file that has one; raises `NotFound`."""
    blob = file.thumbnail or ""
    size = (await blobs.info(blob)).size
    return blob_content(blobs, blob, f"{file.name}.jpg", "image/jpeg", size, f"t-{file.sha256}")


def _signing(blobs: Blobs, file: File) -> Callable[[int], Awaitable[Presigned]] | None:
    """Return what signs the reading of a file's bytes, if its store does."""
    if not isinstance(blobs, SupportsPresigned):
        return None
    return lambda seconds: blobs.presign_get(
        file.blob, seconds=seconds, filename=file.name, media_type=file.media_type
    )


@dataclass
class FileService:
    """What a caller may do with files."""

    store: Store
    access: Access
    files: Files
    lookup: FileLookup
    listing: Listing
    trash: Trash
    blobs: Blobs
    results: Blobs
    cutting: Cutting
    direct: bool = False
    """Whether bytes may be read at the store itself."""

    async def list(
        self, principal: Principal, after: str | None, limit: int, wanted: Wanted = EVERYTHING
    ) -> Page[File]:
        """List the caller's files, newest first, all or those that are wanted."""
        return await self.listing.page(principal, wanted, after, limit)

    async def named(
        self, principal: Principal, ids: Sequence[str], wanted: Wanted
    ) -> tuple[File, ...]:
        """Return those of some files that are the caller's and wanted, in the order given."""
        return await self.listing.named(principal, wanted, ids)

    async def get(self, principal: Principal, file_id: str) -> File:
        """Return one file, uploaded or made by a job; raises `NotFound`."""
        if parse_result_file(file_id) is None:
            return await self.access.load(principal, File, file_id)
        file = await self.lookup.get(file_id)
        if file is None or not await self.access.sees(principal, file):
            raise NotFound(f"There is no file {file_id}.")
        return file

    async def ready(self, principal: Principal, file_id: str) -> File:
        """Return a file whose bytes can be used; raises `Conflict` that says why they cannot."""
        file = await self.get(principal, file_id)
        if file.obstacle:
            raise Conflict(file.obstacle, state=file.state)
        return file

    async def content(self, principal: Principal, file_id: str) -> Content:
        """Return a file's bytes: as they were given to its owner, without metadata to others.

        Raises `Forbidden` for others where nobody here knows how to take that out.
        """
        file = await self.ready(principal, file_id)
        home = self.home_of(file)
        content = stored(home, file)
        if not file.open_to(principal.user):
            cut = await self.cutting.of(home, file.blob, file.name, file.size)
            if not cut.whole:
                return replace(
                    content, size=cut.size, etag=etag(file.sha256),
                    read=lambda start, stop: bytes_of(home, file.blob, cut.parts, start, stop),
                )  # fmt: skip
        return replace(content, sign=_signing(home, file)) if self.direct else content

    def home_of(self, file: File) -> Blobs:
        """Return the store that holds a file's bytes."""
        return home_of(file, self.blobs, self.results)

    async def thumbnail(self, principal: Principal, file_id: str) -> Content:
        """Return a file's thumbnail, to its owner also while the file is in the trash.

        Raises `NotFound`, `pending` while it is being made.
        """
        file = await self._seen(principal, file_id)
        if not file.thumbnail:
            raise NotFound(f"{file.name} has no thumbnail.", pending=file.awaits_thumbnail)
        return await thumbnail_content(self.blobs, file)

    async def _seen(self, principal: Principal, file_id: str) -> File:
        """Return a file, or one of the caller's own that can be brought back."""
        deleted = await self.store.get(File, file_id)
        if deleted is not None and deleted.trash == principal.user:
            return deleted
        return await self.get(principal, file_id)

    async def delete(self, principal: Principal, file_id: str, *, now: bool = False) -> None:
        """Hide a file at once; its bytes go a day later, or when no running job needs them."""
        await self.trash.delete(principal, file_id, now=now)

    async def with_bytes(self, principal: Principal, sha256: str) -> File | None:
        """Return the caller's newest ready file that has these bytes, or None."""
        page = await self.files.with_digest(principal.user, sha256, limit=1)
        return page.rows[0] if page.rows else None

    async def known(self, principal: Principal, digests: Sequence[str]) -> dict[str, File | None]:
        """Find the caller's newest ready file of each SHA-256."""
        found: dict[str, File | None] = {}
        for start in range(0, len(digests), AT_A_TIME):
            some = digests[start : start + AT_A_TIME]
            files = await asyncio.gather(*(self.with_bytes(principal, each) for each in some))
            found |= zip(some, files, strict=True)
        return found
