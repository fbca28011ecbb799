"""Objects under keys in somebody's bucket.

Keys are `/`-separated and relative to the place that was opened. Errors: `NotFound` for a bucket or
an object that is not there, `Forbidden` when the credentials do not allow it, `InvalidInput` for a
key that cannot be one, `Unavailable` when the store cannot be reached. No SDK's error comes out.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class ObjectInfo:
    """What a listing tells of an object; `etag` changes when its bytes do."""

    key: str
    size: int
    etag: str


@dataclass(frozen=True)
class Unlisted:
    """A folder of which nothing is listed because of a key in it that cannot be read."""

    folder: str
    reason: str


@dataclass(frozen=True)
class Described:
    """An object's size, and what was written with it."""

    size: int
    media_type: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


class Objects(Protocol):
    """The objects below one place of a bucket."""

    def list(self, folder: str = "") -> AsyncIterator[Sequence[ObjectInfo | Unlisted]]:
        """List what is below a folder, in pages; nothing for what is not there."""

    def read(self, key: str, start: int = 0, etag: str = "") -> AsyncIterator[bytes]:
        """Stream an object from byte `start` on; `Conflict` when its ETag is another by now."""

    async def describe(self, key: str) -> Described | None:
        """Describe an object; None when there is none."""

    async def write(
        self, key: str, chunks: AsyncIterable[bytes], media_type: str, notes: Mapping[str, str]
    ) -> None:
        """Write an object whole, in parts with checksums; what breaks off leaves nothing."""
