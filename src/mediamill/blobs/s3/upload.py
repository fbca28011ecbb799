"""An object on its way into a bucket."""

import asyncio
import hashlib
import zlib

from mediamill.blobs.port import Digest
from mediamill.blobs.s3 import checksums
from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.objects import PARTS_AT_ONCE, Parts, put
from mediamill.core.clock import SystemClock
from mediamill.core.errors import Unavailable

ABORT_SECONDS = 10
"""How long the end of an upload waits for the bucket to forget it."""


class S3Upload:
    """An object being written: one request while it is small, else parts as they fill."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self.begun = SystemClock().now()
        self._buffer = bytearray()
        self._sent = 0
        self._sha256, self._crc32 = hashlib.sha256(), 0
        self._parts = Parts(bucket, key)
        self._count = 0
        self._sending: set[asyncio.Task[None]] = set()
        self._usable, self._swept = True, False

    @property
    def size(self) -> int:
        return self._sent + len(self._buffer)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        self._require_usable()
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._buffer += data
        while len(self._buffer) >= checksums.PART:
            with memoryview(self._buffer) as view:
                part, self._usable = bytes(view[: checksums.PART]), False
            del self._buffer[: checksums.PART]
            self._sent += checksums.PART
            await self._send(part)
            self._usable = True

    async def commit(self) -> Digest:
        """Make the object durable and visible under its key."""
        self._require_usable()
        size, self._usable = self.size, False
        if self._swept:
            raise Unavailable("The upload was swept away before it was committed.")
        if not self._count:
            await put(self._bucket, self._key, bytes(self._buffer))
        else:
            if self._buffer:
                await self._send(bytes(self._buffer))
            await self._settled(0)
            await self._parts.complete()
            self._count = 0
        return Digest(size, self._sha256.hexdigest(), self._crc32)

    async def sweep(self) -> None:
        """Discard what was begun: a commit fails from now on."""
        self._swept = True
        await self._parts.abort()

    async def end(self) -> None:
        """Discard what was not committed."""
        self._usable = False
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._count:
            try:
                async with asyncio.timeout(ABORT_SECONDS):
                    await self._parts.abort()
            except TimeoutError:
                return  # swept later

    async def _send(self, part: bytes) -> None:
        """Send a part beside the others; raises what came of earlier ones."""
        await self._settled(PARTS_AT_ONCE - 1)
        self._count += 1
        self._sending.add(asyncio.ensure_future(self._parts.send(self._count, part)))

    async def _settled(self, most: int) -> None:
        """Wait until at most so many parts are on their way."""
        while len(self._sending) > most:
            done, _ = await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
            self._sending -= done
            for task in done:
                task.result()

    def _require_usable(self) -> None:
        if not self._usable:
            raise ValueError("this upload has ended")
