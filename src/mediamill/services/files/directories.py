"""What is in an archive: listed once for all who ask, kept for a while, read outside the loop."""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from weakref import WeakValueDictionary

from mediamill.blobs.port import Blobs
from mediamill.core.errors import BrokenMedia, LimitExceeded, UnsupportedMedia
from mediamill.core.threads import Threads
from mediamill.engine.inputs import opened
from mediamill.media.archive.layout import Reader
from mediamill.media.archive.read import (
    DEFLATED,
    MAX_MEMBER_BYTES,
    Member,
    open_member,
    scan,
    unreadable,
)
from mediamill.media.archive.remove import Removal, plan
from mediamill.media.documents.types import ZIPPED
from mediamill.operations.work import Source
from mediamill.store.repositories.files import File

KEPT_MEMBERS = 30_000
"""Members of all archives together whose directory is kept; some 450 bytes each."""

CHUNK = 1 << 18
THREADS = 2

RANGED_BYTES = 64 << 20
"""Deflated members up to this size answer ranges, which costs inflating what comes before."""


@dataclass(frozen=True)
class Listing:
    """The members of an archive in its order, and how many links and devices are left out."""

    members: list[Member]
    left_out: int

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each path is among the members."""
        return {member.name: place for place, member in enumerate(self.members)}

    def find(self, path: str) -> Member | None:
        """Return the member at a path."""
        place = self.places.get(path)
        return None if place is None else self.members[place]


class Directories:
    """Lists archives and reads their members; hostile ones delay only each other."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._kept: OrderedDict[str, Listing] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._threads = Threads("archives", THREADS)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()

    async def listing(self, home: Blobs, file: File) -> Listing:
        """Return what is in an archive; raises `UnsupportedMedia` for what is none."""
        _require_zip(file)
        lock = self._locks.setdefault(file.blob, asyncio.Lock())
        async with lock:
            if file.blob not in self._kept:
                self._keep(file.blob, await self._list(home, file))
            self._kept.move_to_end(file.blob)
            return self._kept[file.blob]

    async def plan(self, home: Blobs, file: File, paths: Collection[str]) -> Removal:
        """Plan an archive without some members; raises what `archive.remove.plan` raises."""
        _require_zip(file)
        async with opened(home, file.blob, self._scratch) as descriptor:
            source = Source(descriptor, file.name, file.media_type, file.size)
            return await self._threads.run(lambda: plan(source.open(), paths))

    async def _list(self, home: Blobs, file: File) -> Listing:
        async with opened(home, file.blob, self._scratch) as descriptor:
            source = Source(descriptor, file.name, file.media_type, file.size)
            return Listing(*await self._threads.run(lambda: scan(source.open())))

    def _keep(self, blob: str, listing: Listing) -> None:
        self._kept[blob] = listing
        kept = sum(len(listing.members) for listing in self._kept.values())
        while len(self._kept) > 1 and kept > KEPT_MEMBERS:
            _, oldest = self._kept.popitem(last=False)
            kept -= len(oldest.members)

    def reader(self, home: Blobs, file: File, member: Member) -> Reader:
        """Return a way to read any range of a member, by its place or inflated on the way.

        Raises `UnsupportedMedia` for one that is compressed in another way, `LimitExceeded` for a
        deflated one that is too large.
        """
        if member.stored:
            return lambda start, stop: _stored(home, file, member, start, stop)
        if member.method != DEFLATED:
            raise unreadable(member)
        if member.size > MAX_MEMBER_BYTES:
            message = (
                f"{member.name} has {member.size:,} bytes; of deflated members at most "
                f"{MAX_MEMBER_BYTES:,} are inflated here. Download the archive, or store the "
                "member without compression."
            )
            raise LimitExceeded(message)
        return lambda start, stop: self._inflated(home, file, member, start, stop)

    async def _inflated(
        self, home: Blobs, file: File, member: Member, start: int, stop: int
    ) -> AsyncIterator[bytes]:
        """Inflate a member; a range costs reading what comes before it."""
        async with opened(home, file.blob, self._scratch) as descriptor:
            source = Source(descriptor, file.name, file.media_type, file.size)
            with open_member(source.open(), member) as stream:
                position = 0
                while position < stop:
                    chunk = await self._threads.run(stream.read, min(CHUNK, stop - position))
                    if not chunk:
                        return
                    piece = chunk[max(0, start - position) :]
                    position += len(chunk)
                    if piece:
                        yield piece


def ranged(member: Member) -> bool:
    """Tell whether ranges of a member are answered."""
    return member.stored or member.size <= RANGED_BYTES


def _require_zip(file: File) -> None:
    if file.media_type not in ZIPPED:
        raise UnsupportedMedia(f"{file.name} is no zip archive, so it has no members.")


async def _stored(
    home: Blobs, file: File, member: Member, start: int, stop: int
) -> AsyncIterator[bytes]:
    """Read a range in place; the whole is checked before its last chunk is given."""
    whole = start == 0 and stop == member.size
    crc32 = 0
    async for chunk in home.read(file.blob, member.offset + start, member.offset + stop):
        crc32 = zlib.crc32(chunk, crc32) if whole else 0
        start += len(chunk)
        if whole and start == stop and crc32 != member.crc32:
            raise BrokenMedia(f"{member.name} has another CRC-32 than the zip says")
        yield chunk
