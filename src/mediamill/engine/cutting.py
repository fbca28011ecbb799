"""What anybody but its owner gets of a file: planned once, made while it is read.

A plan is a list of parts (`media/privacy/parts.py`), so nothing is stored beside the file, there is
nothing to expire with it, and any range of what it makes can be sent alone.
"""

import asyncio
import hashlib
import io
import os
import zlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path

from mediamill.blobs.port import Blobs, Digest
from mediamill.core.threads import Threads
from mediamill.engine.inputs import append, opened, scratch_file
from mediamill.media.privacy.cutting import VERSION, WAYS, plan, withheld
from mediamill.media.privacy.parts import Cut, Part, Reader, length, stream
from mediamill.media.sniff import HEAD, sniff
from mediamill.operations.work import Source

LARGEST = 1 << 29
"""Bytes of a file that is cut: more than any picture has that is taken in."""
AT_A_TIME = 2
KEPT_PARTS = 50_000
"""Parts of all plans together that are kept; some 100 bytes each."""


class Cutting:
    """Plans files without their metadata, a few at a time, in threads."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._kept: OrderedDict[str, Cut] = OrderedDict()
        self._permits = asyncio.Semaphore(AT_A_TIME)
        self._threads = Threads("cutting", AT_A_TIME)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()

    async def of(self, home: Blobs, blob: str, name: str, size: int) -> Cut:
        """Return the plan of a blob; raises `Forbidden` for what cannot be cut, `NotFound`."""

        def read(start: int, stop: int) -> AsyncIterator[bytes]:
            return home.read(blob, start, stop)

        return await self._of(blob, name, size, read, opened(home, blob, self._scratch))

    async def of_stream(self, key: str, name: str, size: int, read: Reader) -> Cut:
        """Return the plan of what is read otherwise, by way of scratch; `key` names it for ever."""
        return await self._of(key, name, size, read, self._copied(read, size))

    async def _of(
        self, key: str, name: str, size: int, read: Reader,
        opening: AbstractAsyncContextManager[int],
    ) -> Cut:  # fmt: skip
        if key not in self._kept:
            async with self._permits:
                self._keep(key, await self._planned(name, size, read, opening))
        self._kept.move_to_end(key)
        return self._kept[key]

    async def _planned(
        self, name: str, size: int, read: Reader, opening: AbstractAsyncContextManager[int]
    ) -> Cut:
        """Look at the type before the whole is fetched."""
        head = b""
        async with aclosing(_reading(read, 0, min(HEAD, size))) as chunks:
            async for chunk in chunks:
                head += chunk
        media_type = sniff(head)
        if not size or media_type.startswith("text/"):
            return plan(io.BytesIO(head), size, name)
        if media_type not in WAYS or size > LARGEST:
            raise withheld(name, media_type)
        async with opening as descriptor:
            source = Source(descriptor, name, media_type, size)
            return await self._threads.run(_plan, source)

    def _keep(self, key: str, cut: Cut) -> None:
        self._kept[key] = cut
        kept = sum(_weight(one) for one in self._kept.values())
        while len(self._kept) > 1 and kept > KEPT_PARTS:
            _, oldest = self._kept.popitem(last=False)
            kept -= _weight(oldest)

    @asynccontextmanager
    async def _copied(self, read: Reader, size: int) -> AsyncIterator[int]:
        descriptor = scratch_file(self._scratch)
        try:
            with os.fdopen(os.dup(descriptor), "wb", buffering=0) as copy:
                async for chunk in read(0, size):
                    await self._threads.run(append, copy, chunk)
            yield descriptor
        finally:
            os.close(descriptor)


def etag(whole: str) -> str:
    """Return the entity tag of a cut file, whose own one is given."""
    return f"cut{VERSION}-{whole[:56]}"


def bytes_of(
    home: Blobs, blob: str, parts: Sequence[Part], start: int = 0, stop: int | None = None
) -> AsyncIterator[bytes]:
    """Produce bytes `start … stop` of what parts of a blob make."""

    def read(low: int, high: int) -> AsyncIterator[bytes]:
        return home.read(blob, low, high)

    end = sum(map(length, parts)) if stop is None else stop
    return stream(read, parts, start, end)


async def digest_of(home: Blobs, blob: str, parts: Sequence[Part]) -> Digest:
    """Return size and digests of what parts of a blob make."""
    sha256, crc32, size = hashlib.sha256(), 0, 0
    async for chunk in bytes_of(home, blob, parts):
        sha256.update(chunk)
        crc32, size = zlib.crc32(chunk, crc32), size + len(chunk)
    return Digest(size, sha256.hexdigest(), crc32)


async def write_cut(
    home: Blobs, blob: str, parts: Sequence[Part], target: Blobs, key: str
) -> Digest:
    """Write what parts of a blob make under a key of its own, durable on return."""
    async with target.upload(key) as upload:
        async for chunk in bytes_of(home, blob, parts):
            await upload.write(chunk)
        return await upload.commit()


async def _reading(read: Reader, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    async for chunk in read(start, stop):
        yield chunk


def _plan(source: Source) -> Cut:
    with source.open() as stream:
        return plan(stream, source.size, source.name)


def _weight(cut: Cut) -> int:
    written = sum(len(part) for part in cut.parts if isinstance(part, bytes))
    return len(cut.parts) + written // 100 + 5
