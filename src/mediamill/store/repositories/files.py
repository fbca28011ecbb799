"""Files: immutable blobs with metadata.

    receiving ──▶ checking ──▶ ready ──▶ trashed ──▶ (purged: the row is gone)
                      └──────▶ rejected     └──▶ ready (undo)

A file that is received over HTTP is checked while the caller waits, so its row begins as `ready`;
a rejected one is answered with the reason and leaves no row.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Page, Store


class FileState(StrEnum):
    RECEIVING = "receiving"
    CHECKING = "checking"
    READY = "ready"
    REJECTED = "rejected"
    TRASHED = "trashed"


class File(Record, frozen=True, kw_only=True):
    """Metadata of one stored file; sizes in bytes, dimensions in pixels after orientation."""

    table = "files"
    key = Key("id")
    indexes = (
        Index("file_listed", partition=("listed",), sort=("id",)),
        Index("file_digest", partition=("owner", "sha256"), sort=("id",)),
    )

    id: str
    owner: str
    listed: str | None = None
    """The owner while the file shows in lists, else None."""
    name: str
    media_type: str
    size: int
    sha256: str
    crc32: int
    width: int = 0
    height: int = 0
    duration: float = 0.0
    """Seconds; 0 for what has none."""
    source: str = "upload"
    """`upload`, `stream`, `import` or `result`."""
    state: FileState = FileState.READY
    blob: str
    thumbnail: str | None = None
    """Blob of the thumbnail once there is one; empty string when none can be made."""
    lineage: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    created: int
    expires: int | None = None
    trashed: int | None = None

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.state is FileState.TRASHED

    def log_context(self) -> dict[str, Any]:
        return {"file": self.id, "owner": self.owner, "media_type": self.media_type}


class Files:
    """Reads of files; writes are transactions of the services."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, file_id: str) -> File | None:
        return await self.store.get(File, file_id)

    async def get_many(self, ids: Sequence[str]) -> list[File | None]:
        """Return the file, or None, of each id, in order; any number of ids."""
        found: list[File | None] = []
        for start in range(0, len(ids), 100):
            keys = [(file_id,) for file_id in ids[start : start + 100]]
            found.extend(await self.store.get_many(File, keys))
        return found

    async def of_owner(self, owner: str, after: str | None, limit: int) -> Page[File]:
        """List an owner's files, newest first."""
        index = File.index("file_listed")
        return await self.store.query(File, index, owner, after=after, limit=limit, descending=True)

    async def with_digest(self, owner: str, sha256: str) -> tuple[File, ...]:
        """List an owner's files that have these bytes."""
        index = File.index("file_digest")
        return (await self.store.query(File, index, owner, sha256)).rows
