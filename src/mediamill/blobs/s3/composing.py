"""One object of several, put together by the bucket.

Parts but the last have at least `LEAST` bytes, at most 5 GiB: what is smaller is read and sent.
"""

from collections.abc import AsyncIterable

from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.objects import Parts, put
from mediamill.blobs.s3.reading import read

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
        self._held, self._count = bytearray(), 0

    async def add(self, key: str, size: int) -> None:
        """Append an object: its beginning fills up what is held, the rest is not read."""
        start = min(size, LEAST - len(self._held)) if self._held else 0
        if size - start < LEAST:
            start = size
        if start or not size:
            await self._hold(key, start)
        while start < size:
            stop = size if size - start <= MOST else start + MOST // 2
            self._count += 1
            await self.parts.copy(self._count, key, start, stop)
            start = stop

    async def end(self) -> None:
        """Make the object."""
        if not self._count:
            await put(self._bucket, self._target, bytes(self._held))
            return
        if self._held:
            await self._send()
        await self.parts.complete()

    async def _hold(self, key: str, stop: int) -> None:
        async for chunk in read(self._bucket, key, 0, stop):
            self._held += chunk
        if len(self._held) >= LEAST:
            await self._send()

    async def _send(self) -> None:
        self._count += 1
        await self.parts.send(self._count, bytes(self._held))
        self._held.clear()
