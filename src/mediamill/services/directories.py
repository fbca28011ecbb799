"""What is in an archive: listed once for all who ask, kept for a while, read outside the loop."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from pathlib import Path
from weakref import WeakValueDictionary

from mediamill.blobs.port import Blobs
from mediamill.blobs.threads import Threads
from mediamill.core.errors import UnsupportedMedia
from mediamill.engine.inputs import opened
from mediamill.media.archive.layout import Reader
from mediamill.media.archive.read import (
    DEFLATED,
    MAX_MEMBER_BYTES,
    Member,
    open_member,
    read_members,
)
from mediamill.operations.base import Source
from mediamill.store.repositories.files import File

KEPT_MEMBERS = 30_000
"""Members of all archives together whose directory is kept; some 450 bytes each."""

CHUNK = 1 << 18
THREADS = 2


class Directories:
    """Lists archives and reads their members; hostile ones delay only each other."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._kept: OrderedDict[str, list[Member]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._threads = Threads("archives", THREADS)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()

    async def members(self, home: Blobs, file: File) -> list[Member]:
        """Return an archive's members; raises `UnsupportedMedia` for what is none."""
        if file.media_type != "application/zip":
            raise UnsupportedMedia(f"{file.name} is no zip archive, so it has no members.")
        lock = self._locks.setdefault(file.blob, asyncio.Lock())
        async with lock:
            if file.blob not in self._kept:
                self._keep(file.blob, await self._list(home, file))
            self._kept.move_to_end(file.blob)
            return self._kept[file.blob]

    async def _list(self, home: Blobs, file: File) -> list[Member]:
        async with opened(home, file.blob, self._scratch) as descriptor:
            source = Source(descriptor, file.name, file.media_type, file.size)
            return await self._threads.run(lambda: read_members(source.open()))

    def _keep(self, blob: str, members: list[Member]) -> None:
        self._kept[blob] = members
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_MEMBERS:
            self._kept.popitem(last=False)

    def reader(self, home: Blobs, file: File, member: Member) -> Reader:
        """Return a way to read any range of a member, by its place or inflated on the way.

        Raises `UnsupportedMedia` for one that is compressed in another way or too large.
        """
        if member.stored:
            begin = member.offset
            return lambda start, stop: home.read(file.blob, begin + start, begin + stop)
        if member.method != DEFLATED or member.size > MAX_MEMBER_BYTES:
            raise UnsupportedMedia(f"{member.name} is compressed in a way that is not read here.")
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
