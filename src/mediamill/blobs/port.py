"""The bytes port: immutable objects under keys, durable before acknowledged.

A key is `/`-separated segments of `[A-Za-z0-9._=-]`, none empty, `.` or `..`, each at most 250
bytes, at most 512 bytes in all; anything else is `ValueError` (`keys.py`). An object never changes:
writing a key that exists replaces the object whole (readers that opened the old one keep it).

Durable: when `Upload.commit` or `put` returns, the bytes survive a power cut: file and folder are
fsynced, or the remote store has confirmed the checksum. Before that, nothing is visible under the
key; an upload that is not committed leaves nothing that `list` shows.

Errors: `NotFound` for a key without an object (with `late=True` where what another machine has just
committed may not be seen yet); `StorageFull` when there is no room (nothing is
kept); `Unavailable` when the store cannot be reached; `BrokenMedia` when bytes read back do not
match what was recorded; `Restoring` for an object in cold storage, whose return is thereby asked
for.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

CHUNK = 1 << 20
"""How many bytes readers hand out at a time, at most."""


@dataclass(frozen=True)
class BlobInfo:
    """What a store knows of an object: its size in bytes and when it was committed (ms)."""

    key: str
    size: int
    modified: int
    cold: bool = False
    """Whether a listing says that it lies in cold storage: reading it asks for its return."""


@dataclass(frozen=True)
class Digest:
    """What was written: size in bytes, SHA-256 in hexadecimal, CRC-32."""

    size: int
    sha256: str
    crc32: int


class Upload(Protocol):
    """An object being written, append-only, digests taken on the way."""

    @property
    def size(self) -> int:
        """Bytes written so far."""

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `StorageFull`."""

    async def commit(self) -> Digest:
        """Make the object durable and visible under its key; at most once."""


class Blobs(Protocol):
    """Objects under keys."""

    def upload(self, key: str) -> AbstractAsyncContextManager[Upload]:
        """Begin an object; leaving the block without `commit` discards what was written."""

    async def put(self, key: str, data: bytes, *, fresh: bool = False) -> Digest:
        """Write a small object whole; with `fresh` raises `Conflict` if there is one already.

        Of several who write a fresh key at a time one does, where the store compares and writes at
        a stroke; Ceph does not. An answer that was lost on the way is no conflict.
        """

    async def adopt(self, key: str, path: Path) -> None:
        """Move a finished scratch file under `key`, durable on return; `path` is then gone."""

    async def copy(self, source: str, target: str) -> None:
        """Give an object a second key, durable on return, where possible without its bytes.

        The two live and die apart. The copy's `modified` may be that of its source. Raises
        `NotFound` when there is no `source`.
        """

    async def info(self, key: str) -> BlobInfo:
        """Describe an object."""

    async def get(self, key: str) -> bytes:
        """Read a small object whole."""

    def read(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream bytes `start … stop` (end excluded) in chunks; `NotFound` at the first chunk.

        A range beyond the end is cut; a missing tail raises `BrokenMedia` rather than ending early.
        """

    async def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""

    def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobInfo]:
        """List committed objects whose key starts with `prefix` and is greater than `after`."""

    async def free_bytes(self) -> int | None:
        """Return the room left, or `None` where it is not bounded."""

    async def sweep(self, older_than: int) -> int:
        """Discard uncommitted uploads begun before this time (ms) by whoever; return how many."""

    async def close(self) -> None:
        """Release connections and threads."""


@runtime_checkable
class OpensLocally(Protocol):
    """A store whose objects are local files, so that a slot can read them without a copy."""

    async def open_descriptor(self, key: str) -> int:
        """Open an object read-only; the caller closes the descriptor. Raises `NotFound`."""

    async def open_descriptors(self, keys: Sequence[str]) -> Sequence[int | None]:
        """Open objects as `open_descriptor` does, all at a stroke; None for what is not there."""


@runtime_checkable
class OnDisk(Protocol):
    """A store in a folder of this machine, or of one that is mounted."""

    root: Path


@runtime_checkable
class PutsTogether(Protocol):
    """A store that makes several small objects durable at less cost than one by one."""

    async def put_all(self, objects: Sequence[tuple[str, bytes]]) -> Sequence[Digest]:
        """Write small objects whole, as `put` does; where it raises, any of them may be there."""


@runtime_checkable
class MovesTogether(Protocol):
    """A store that makes several files its own, or links them, at less cost than one by one."""

    async def adopt_all(self, files: Sequence[tuple[str, Path]]) -> None:
        """Move finished scratch files under keys, as `adopt` does; where it raises, any may be."""

    async def copy_all(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Give objects, each named first, a second key, as `copy` does; some, where it raises."""


@runtime_checkable
class Composes(Protocol):
    """A store that makes one object of several without their bytes passing here."""

    async def compose(self, sources: AsyncIterable[tuple[str, int]], target: str) -> None:
        """Make `target` of whole objects, each with its size, in order; durable on return.

        What is too small for the store to put together may pass here after all. Raises `NotFound`
        for a source that is not there; then there is no new `target`.
        """


@runtime_checkable
class KeepsVersions(Protocol):
    """A store that may keep what was replaced or deleted, for a while."""

    async def keeps_versions(self) -> bool:
        """Tell whether it does so now."""


@dataclass(frozen=True)
class Presigned:
    """A request that whoever has it may send to the store itself, until it expires."""

    method: str
    url: str
    headers: Mapping[str, str]
    """What must be sent along, unchanged: it is part of what is signed."""
    expires: int
    """Milliseconds since 1970; never later than the credentials that signed it."""


@dataclass(frozen=True)
class Part:
    """A part that the store has: its number (1…10,000), its size in bytes, its entity tag."""

    number: int
    size: int
    etag: str


@runtime_checkable
class SupportsPresigned(Protocol):
    """A store that clients can talk to directly for a while.

    `seconds` is the longest that a request may be valid; it is shorter where the credentials end
    sooner. What arrives under a key that way is not believed: whoever completes it reads it again.
    """

    @property
    def origin(self) -> str:
        """Scheme, host and port of the addresses that it signs."""

    async def presign_get(
        self, key: str, *, seconds: int, filename: str, media_type: str
    ) -> Presigned:
        """Sign the reading of an object, as an attachment with this name and type."""

    async def presign_put(
        self, key: str, *, seconds: int, size: int, sha256: str | None = None
    ) -> Presigned:
        """Sign the writing of an object of exactly this size and, if given, SHA-256 (hex)."""

    async def begin_parts(self, key: str) -> str:
        """Begin an object that arrives in parts; return the id of its upload."""

    async def presign_part(
        self, key: str, upload_id: str, number: int, *, seconds: int, size: int
    ) -> Presigned:
        """Sign the writing of one part (1…10,000) of exactly this size."""

    async def parts(self, key: str, upload_id: str) -> Sequence[Part]:
        """List the parts that have arrived, by number; raises `NotFound` for no such upload."""

    async def complete_parts(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts; raises `BrokenMedia` when they are not those it has."""

    async def abort_parts(self, key: str, upload_id: str) -> None:
        """Discard an upload and its parts; one that is not there is no error."""
