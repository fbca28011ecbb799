"""Versions: what an archive was before members were deleted from it.

Jobs accepted earlier go on with the bytes that they were given, and so do downloads that began.
A version and its blob go when no such job is left (`handlers/removing/purge_version.py`).
"""

from collections.abc import AsyncIterator

from mediamill.core.records import Key, Record
from mediamill.store.port import Page, Store, key_index
from mediamill.store.repositories.files import File


class Version(Record, frozen=True, kw_only=True):
    """The bytes that a file had until it was changed."""

    table = "file_versions"
    key = Key("file", "until")

    file: str
    until: int
    """When the file was changed (ms); its versions lie in this order."""
    owner: str
    blob: str
    size: int
    sha256: str
    crc32: int

    @classmethod
    def of(cls, file: File, until: int) -> "Version":
        """Describe a file as it is before a change."""
        return cls(
            file=file.id,
            until=until,
            owner=file.owner,
            blob=file.blob,
            size=file.size,
            sha256=file.sha256,
            crc32=file.crc32,
        )


class Versions:
    """Reads of versions."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def as_of(self, file: File, time: int) -> File | None:
        """Return a file as it was at a time (ms), or None when those bytes are gone."""
        if file.rewritten is None or time >= file.rewritten:
            return file
        page = await self._of(file.id, at_least=time + 1, limit=1)
        if not page.rows:
            return None
        old = page.rows[0]
        return file.evolve(blob=old.blob, size=old.size, sha256=old.sha256, crc32=old.crc32)

    async def blobs(self, file_id: str) -> list[str]:
        """List the blobs that the versions of a file still have."""
        return [version.blob async for version in self.of(file_id)]

    async def of(self, file_id: str) -> AsyncIterator[Version]:
        """Visit the versions of a file, the oldest first."""
        after: str | None = None
        while True:
            page = await self._of(file_id, after=after)
            for version in page.rows:
                yield version
            if (after := page.after) is None:
                return

    async def _of(
        self, file_id: str, at_least: int | None = None, after: str | None = None, limit: int = 100
    ) -> Page[Version]:
        return await self.store.query(
            Version, key_index(Version), file_id, at_least=at_least, after=after, limit=limit
        )
