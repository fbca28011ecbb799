"""One object of several, put together by the bucket.

Parts but the last have at least `LEAST` bytes, at most 5 GiB: what is smaller is read and sent, and
so is everything where the bucket copies nothing.
"""

from collections.abc import AsyncIterable

from mediamill.blobs.s3 import checksums
from mediamill.blobs.s3.answers import Unknown
from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.objects import Parts, put
from mediamill.blobs.s3.reading import read
from mediamill.core.errors import BrokenMedia

LEAST = 5 << 20
MOST = 4 << 30


async def compose(bucket: Bucket, sources: AsyncIterable[tuple[str, int]], target: str) -> None:
    """Make `target` of whole objects; raises `NotFound`, and then leaves no new `target`."""
    joining = Joining(bucket, target)
    try:
        async for key, size in sources:
            await joining.add(key, size)
        await joining.end()
    except BaseException:
        await joining.parts.abort()
        raise


class Joining:
    """An object in the making: what is too small for a part is held until it is not."""

    def __init__(self, bucket: Bucket, target: str) -> None:
        self._bucket, self._target = bucket, target
        self.parts = Parts(bucket, target, copied=True)
        self._held, self._count, self._copies = bytearray(), 0, True

    async def add(self, key: str, size: int) -> None:
        """Append an object: its beginning fills up what is held, the rest is not read."""
        start = min(size, LEAST - len(self._held)) if self._held else 0
        if size - start < LEAST or not self._copies:
            start = size
        if start or not size:
            await self._hold(key, 0, start)
        while start < size:
            stop = size if size - start <= MOST else start + MOST // 2
            if not await self._copy(key, start, stop):
                await self._hold(key, start, size)
                return
            start = stop

    async def end(self) -> None:
        """Make the object."""
        if not self._count:
            await put(self._bucket, self._target, bytes(self._held))
            await self.parts.abort()
            return
        if self._held:
            await self._send()
        await self.parts.complete()

    async def _copy(self, key: str, start: int, stop: int) -> bool:
        """Have the bucket take a part; False when it knows no such request."""
        try:
            await self.parts.copy(self._count + 1, key, start, stop)
        except Unknown:
            self._copies = False
            return False
        self._count += 1
        return True

    async def _hold(self, key: str, start: int, stop: int) -> None:
        async for chunk in read(self._bucket, key, start, stop):
            self._held += chunk
            start += len(chunk)
            if len(self._held) >= checksums.PART:
                await self._send()
        if start < stop:
            raise BrokenMedia(f"“{key}” is shorter than {stop} bytes.")
        if len(self._held) >= (LEAST if self._copies else checksums.PART):
            await self._send()

    async def _send(self) -> None:
        self._count += 1
        await self.parts.send(self._count, bytes(self._held))
        self._held.clear()
