"""An object on its way into a bucket."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

import obstore

from mediamill.blobs.port import Digest
from mediamill.blobs.s3.answers import awaited, told
from mediamill.core.errors import Unavailable

PART = 16 << 20
"""Bytes of a part: 10,000 are the most, so 160 GB. What is smaller is one request."""
PARTS_AT_ONCE = 3


class S3Upload:
    """An object being written: one request while it is small, else parts as they fill."""

    def __init__(self, store: Any, path: str) -> None:
        self._store, self._path = store, path
        self._buffer = bytearray()
        self._sent = 0
        self._sha256, self._crc32 = hashlib.sha256(), 0
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._sending: asyncio.Task[Any] | None = None
        self._usable = True

    @property
    def size(self) -> int:
        return self._sent + len(self._buffer)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        self._require_usable()
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._buffer += data
        while len(self._buffer) >= PART:
            await self._hand_over()

    async def commit(self) -> Digest:
        """Make the object durable and visible under its key."""
        self._require_usable()
        size, self._usable = self.size, False
        with told(self._path):
            if self._sending is None:
                await awaited(obstore.put_async(self._store, self._path, bytes(self._buffer)))
            else:
                await self._give(bytes(self._buffer) or None)
                if self._buffer:
                    await self._give(None)
                await self._sending
        self._sending = None
        return Digest(size, self._sha256.hexdigest(), self._crc32)

    async def end(self) -> None:
        """Discard what was not committed."""
        self._usable = False
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None

    async def _hand_over(self) -> None:
        part, self._usable = bytes(self._buffer[:PART]), False
        if self._sending is None:
            sending = obstore.put_async(
                self._store, self._path, self._stream(), use_multipart=True, chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )  # fmt: skip
            self._sending = asyncio.ensure_future(sending)
        with told(self._path):
            await self._give(part)
        del self._buffer[:PART]
        self._sent += len(part)
        self._usable = True

    async def _give(self, part: bytes | None) -> None:
        """Queue a part; raises what ended the sending."""
        putting = asyncio.ensure_future(self._parts.put(part))
        assert self._sending is not None  # noqa: S101 - it is begun before
        await asyncio.wait({putting, self._sending}, return_when=asyncio.FIRST_COMPLETED)
        if not putting.done():
            putting.cancel()
            await self._sending
            raise Unavailable("The bucket stopped taking bytes.")

    async def _stream(self) -> AsyncIterator[bytes]:
        while (part := await self._parts.get()) is not None:
            yield part

    def _require_usable(self) -> None:
        if not self._usable:
            raise ValueError("this upload has ended")
