"""Files: immutable blobs with metadata.

    receiving ──▶ checking ──▶ ready ──▶ trashed ──▶ (purged: the row is gone)
        └─────────────┴──────▶ rejected     └──▶ ready (undo)

A file that is received over HTTP is checked while the caller waits, so its row begins as `ready`;
a rejected one is answered with the reason and leaves no row. What comes in the background is listed
from `receiving` on, and a rejected one says why for a week.

Retention hides what is due as a deletion does, for good (`expired`), and takes along what was made
of it.

What is to be removed has a purge unit, whose number the row keeps in `doomed`: a unit that is not
the one named there (the file was brought back, or deleted again later) removes nothing.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Page, Store, key_index


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
        Index("file_digest", partition=("digest",), sort=("id",)),
        Index("file_trashed", partition=("trash",), sort=("trashed", "id")),
        Index("file_aging", partition=("source",), sort=("created", "id"), shards=8),
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
    rate: float = 0.0
    """Frames a second, on average, by a video's headers; 0 where they do not say."""
    steady: bool = False
    """Whether they say that all frames last equally long (`media/facts.py`)."""
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
    """When it goes (ms), where that was asked for: it is never stored. The rules tell
    (`store/repositories/keeping.py`); a result goes with the file that it was made of."""
    trashed: int | None = None
    """When it was deleted (ms)."""
    digest: str | None = None
    """`digest_key` of its owner and bytes while it is ready, else None."""
    trash: str | None = None
    """The owner while it is in the trash and can be brought back, else None."""
    doomed: int | None = None
    """Sequence number of the purge unit that may remove it."""
    purge_at: int | None = None
    """When that unit is due (ms)."""
    rewritten: int | None = None
    """When members were deleted from it last (ms); what it was before is a `Version`."""
    revision: int = 0
    """Grows with every change that a caller can see."""
    received: int = 0
    """Bytes here so far, of a file that is being received in the background."""
    charged: int = 0
    """Bytes of it that its owner's `Usage` counts: those announced while it is being received, its
    size from then on until it is purged, none once it is rejected."""
    metered: bool = False
    """Whether its owner's `Usage` counts it among the files: until it is rejected or purged."""
    code: str = ""
    """Why it was rejected: an error's code, and its message in `error`."""
    error: str = ""
    expired: int | None = None
    """When retention took it (ms): it is hidden, and what was made of it goes with it."""
    counted: int | None = None
    """When it was counted into the daily aggregates (ms): from then on it is being removed."""
    past_items: int | None = None
    """What jobs made of it that are purged since: items, those of them that failed, result files
    and their bytes. None is 0."""
    past_failed: int | None = None
    past_results: int | None = None
    past_bytes: int | None = None
    kept: int | None = None
    """Until when it stays whatever the rules say (ms): a day from when it left a project that may
    have kept it."""

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.state is FileState.TRASHED

    @property
    def passing(self) -> bool:
        """Whether its bytes are still coming, or being looked at."""
        return self.state in (FileState.RECEIVING, FileState.CHECKING)

    @property
    def awaits_thumbnail(self) -> bool:
        """Whether its thumbnail may still be made; results have theirs from their projects."""
        return self.source != "result" and (
            self.passing or (self.state is FileState.READY and self.thumbnail is None)
        )

    @property
    def obstacle(self) -> str:
        """Why its bytes cannot be used, as a sentence; empty when they can."""
        match self.state:
            case FileState.RECEIVING:
                return f"{self.name} is still being received: wait until it is ready."
            case FileState.CHECKING:
                return f"{self.name} is being checked: wait until it is ready."
            case FileState.REJECTED:
                return f"{self.name} was rejected: {self.error}"
            case FileState.READY | FileState.TRASHED:
                return ""
        return f"{self.name} is {self.state}, which only a newer version knows: ask that one."

    def open_to(self, user: str) -> bool:
        """Tell whether a user may have its bytes as they are.

        That is its owner; and whoever may see it, where a job made it: what jobs make has no
        metadata of what it was made of. Others get it cut (`engine/cutting.py`).
        """
        return self.owner == user or self.source == "result"

    def log_context(self) -> dict[str, Any]:
        return {"file": self.id, "owner": self.owner, "media_type": self.media_type}


class FileTag(Record, frozen=True, kw_only=True):
    """A tag of a file, so that files are found by tag; it stays while the file is in the trash."""

    table = "file_tags"
    key = Key("tagged", "file")

    tagged: str
    """`tag_key` of the owner and the tag."""
    file: str


def digest_key(owner: str, sha256: str) -> str:
    """Return where an owner's ready files with these bytes are found."""
    return f"{owner}:{sha256}"


def tag_key(owner: str, tag: str) -> str:
    """Return where an owner's files with this tag are found."""
    return f"{owner}:{tag}"


def tag_rows(file: File) -> tuple[FileTag, ...]:
    """Make the rows by which a file is found by its tags."""
    return tuple(FileTag(tagged=tag_key(file.owner, tag), file=file.id) for tag in file.tags)


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

    async def of_owner(
        self,
        owner: str,
        after: str | None,
        limit: int,
        first: str | None = None,
        last: str | None = None,
    ) -> Page[File]:
        """List an owner's files, newest first, with ids from `first` to `last`."""
        return await self.store.query(
            File,
            File.index("file_listed"),
            owner,
            at_least=first,
            at_most=last,
            after=after,
            limit=limit,
            descending=True,
        )

    async def trashed(self, owner: str, after: str | None, limit: int) -> Page[File]:
        """List what an owner can bring back, deleted last first."""
        index = File.index("file_trashed")
        return await self.store.query(File, index, owner, after=after, limit=limit, descending=True)

    async def tagged(
        self,
        owner: str,
        tag: str,
        after: str | None,
        limit: int,
        first: str | None = None,
        last: str | None = None,
    ) -> Page[File]:
        """List an owner's files with a tag as `of_owner` does; trashed ones too."""
        page = await self.store.query(
            FileTag,
            key_index(FileTag),
            tag_key(owner, tag),
            at_least=first,
            at_most=last,
            after=after,
            limit=limit,
            descending=True,
        )
        found = await self.get_many([row.file for row in page.rows])
        return Page(tuple(file for file in found if file is not None), page.after)

    async def with_digest(
        self, owner: str, sha256: str, after: str | None = None, limit: int = 100
    ) -> Page[File]:
        """List an owner's ready files that have these bytes, newest first."""
        index = File.index("file_digest")
        where = digest_key(owner, sha256)
        return await self.store.query(File, index, where, after=after, limit=limit, descending=True)
