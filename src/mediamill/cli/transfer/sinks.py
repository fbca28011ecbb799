"""Where results are exported to: a folder or a bucket. A name shows only what is whole.

In a folder a file grows under `.mediamill-…` beside the others and is renamed at its end; what an
ended command left there is continued. In a bucket an object appears when its last part is there.
"""

import hashlib
import mimetypes
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from anyio.from_thread import BlockingPortal
from anyio.to_thread import run_sync

from mediamill.adapters.objects.port import ObjectInfo, Objects
from mediamill.cli.remote.archive import UNKNOWN_TYPE, Item
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.transfer.buckets import pull
from mediamill.cli.transfer.saving import UNFINISHED

CHUNK = 1 << 20
CONTINUED = 1 << 20
"""Bytes from which on an unfinished file is continued rather than begun anew."""


class Sink(Protocol):
    """Takes finished files under relative names."""

    def state(self, item: Item) -> str:
        """Tell what is under an item's name: `absent`, `same` or `other`."""

    def kept(self, item: Item) -> int:
        """Return how many bytes of an item an ended command left, to go on from."""

    def put(self, item: Item, chunks: Iterator[bytes]) -> None:
        """Write an item, `chunks` beginning after what is `kept`; raises `Failure` for a misfit."""


class Check:
    """Digests of what passes, compared at the end."""

    def __init__(self, item: Item) -> None:
        self._item, self.size, self._crc32 = item, 0, 0
        self._sha256 = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Take note of the next bytes."""
        self.size += len(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        if self._item.sha256:
            self._sha256.update(data)

    @property
    def good(self) -> bool:
        """Whether it was the item."""
        item = self._item
        told = not item.sha256 or self._sha256.hexdigest() == item.sha256
        return self.size == item.size and item.crc32 in (None, self._crc32) and told

    def require(self) -> None:
        """Raise `Failure` unless it was the item."""
        if not self.good:
            raise Failure("it arrived damaged; run the command again")


@dataclass
class FolderSink:
    """A local folder."""

    folder: Path

    def state(self, item: Item) -> str:
        """Compare what is there by size, CRC-32 and, where it is told, SHA-256."""
        place = self.folder / item.name
        try:
            if place.is_symlink() or not place.is_file():
                return "other" if place.exists() or place.is_symlink() else "absent"
            if place.stat().st_size != item.size or not _ends_with(place, item.tail):
                return "other"
            if item.tail:
                return "same"
            check = Check(item)
            for chunk in _chunks(place):
                check.add(chunk)
        except OSError as error:
            raise Failure(f"cannot be read: {error.strerror}") from error
        return "same" if check.good else "other"

    def kept(self, item: Item) -> int:
        """Return the size of what is unfinished, if it is worth it."""
        with suppress(OSError):
            size = self._unfinished(item).stat().st_size
            return size if CONTINUED <= size < item.size else 0
        return 0

    def put(self, item: Item, chunks: Iterator[bytes]) -> None:
        """Write beside, check, rename."""
        part, check = self._unfinished(item), Check(item)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if kept := self.kept(item):
                for chunk in _chunks(part):
                    check.add(chunk)
            with part.open("ab" if kept else "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                    check.add(chunk)
            if not check.good:
                part.unlink()
            check.require()
            place = self.folder / item.name
            place.parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)
        except OSError as error:
            raise Failure(f"cannot be written: {error.strerror}") from error

    def _unfinished(self, item: Item) -> Path:
        known = f"{item.name}\0{item.size}\0{sorted(item.notes.items())}"
        name = hashlib.sha256(known.encode()).hexdigest()[:24]
        return self.folder / f"{UNFINISHED}{name}.part"


class BucketSink:
    """A place in a bucket; the digests are kept with each object."""

    def __init__(self, portal: BlockingPortal, objects: Objects, folder: str = "") -> None:
        self._portal, self._objects, self._folder = portal, objects, folder
        self._sizes = {
            row.key: row.size
            for page in pull(portal, objects.list(folder))
            for row in page
            if isinstance(row, ObjectInfo)
        }

    def _key(self, item: Item) -> str:
        return f"{self._folder}/{item.name}" if self._folder else item.name

    def state(self, item: Item) -> str:
        """Compare by size, then by the digests that were written with the object."""
        key = self._key(item)
        if key not in self._sizes:
            return "absent"
        if self._sizes[key] != item.size:
            return "other"
        found = self._portal.call(self._objects.describe, key)
        same = found is not None and item.notes.items() <= found.notes.items()
        return "same" if same else "other"

    def kept(self, item: Item) -> int:
        """Return 0: an object that was not finished is not there."""
        return 0

    def put(self, item: Item, chunks: Iterator[bytes]) -> None:
        """Write an object; what arrives damaged is not finished."""
        kind = item.media_type or mimetypes.guess_type(item.name)[0] or UNKNOWN_TYPE
        body = checked(item, chunks)
        self._portal.call(self._objects.write, self._key(item), body, kind, item.notes)


async def checked(item: Item, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what a blocking stream gives; raises `Failure` at its end when it was not the item."""
    check = Check(item)
    following: Any = chunks.__next__
    while chunk := await run_sync(_next, following):
        check.add(chunk)
        yield chunk
    check.require()


def _next(following: Any) -> bytes:
    try:
        return bytes(following())
    except StopIteration:
        return b""


def _ends_with(place: Path, tail: bytes) -> bool:
    if not tail:
        return True
    with place.open("rb") as stream:
        stream.seek(-len(tail), 2)
        return stream.read() == tail


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
