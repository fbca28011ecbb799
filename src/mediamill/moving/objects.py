"""Carry bytes, and compare them by their SHA-256."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from mediamill.blobs.port import BlobInfo, Blobs
from mediamill.core.errors import BrokenMedia, NotFound, Unavailable
from mediamill.moving.digests import Digests
from mediamill.moving.journal import Journal, Progress, Way
from mediamill.moving.meter import Meter
from mediamill.moving.places import Route
from mediamill.moving.survey import objects_of

AT_ONCE = 8
BATCH, BATCH_BYTES = 200, 256 << 20
"""Objects, or bytes, after which the journal is written."""
TRIES, PAUSE = 3, 0.5


@dataclass
class Carrier:
    """The bytes of one route; `damaged` and `wrong` collect what is not as it should be."""

    route: Route
    source: Blobs
    target: Blobs
    digests: Digests
    meter: Meter

    def __post_init__(self) -> None:
        self.damaged, self.wrong = list[str](), list[str]()
        self._permits = asyncio.Semaphore(AT_ONCE)

    async def copy(self, journal: Journal, progress: Progress, way: Way) -> None:
        """Copy the objects behind those that are there already, each read back and compared."""
        async for batch in self._batches(way.after):
            await self._each(batch, self._copy)
            way.after = batch[-1].key
            way.objects += len(batch)
            way.size += sum(info.size for info in batch)
            if not self.wrong:
                await journal.save(progress)
        way.done = not self.wrong
        await journal.save(progress)

    async def verify(self) -> int:
        """Compare all objects with what is read back from the target; return how many they are."""
        count = 0
        async for batch in self._batches(""):
            await self._each(batch, self._verify)
            count += len(batch)
        return count

    async def _each(self, batch: list[BlobInfo], do: Callable[[BlobInfo], Awaitable[None]]) -> None:
        async def one(info: BlobInfo) -> None:
            async with self._permits:
                await do(info)
            self.meter.add(objects=1, size=info.size)

        try:
            async with asyncio.TaskGroup() as group:
                for info in batch:
                    group.create_task(one(info))
        except* Exception as failures:
            raise failures.exceptions[0] from None

    async def _batches(self, after: str) -> AsyncIterator[list[BlobInfo]]:
        batch: list[BlobInfo] = []
        async for info in objects_of(self.route, self.source, after):
            batch.append(info)
            if len(batch) == BATCH or sum(each.size for each in batch) > BATCH_BYTES:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _copy(self, info: BlobInfo) -> None:
        for left in reversed(range(TRIES)):
            try:
                if await self._carried(info.key):
                    return
            except (Unavailable, BrokenMedia):
                if not left:
                    raise
            await asyncio.sleep(PAUSE)
        self.wrong.append(f"{info.key} reads back with other bytes than were written")

    async def _carried(self, key: str) -> bool:
        """Write an object, read it back, and tell whether it is the same."""
        async with self.target.upload(key) as upload:
            async for chunk in self.source.read(key):
                await upload.write(chunk)
            written = await upload.commit()
        self._judge(key, written.sha256)
        return await sha256_of(self.target, key) == written.sha256

    async def _verify(self, info: BlobInfo) -> None:
        sha256 = await sha256_of(self.source, info.key)
        self._judge(info.key, sha256)
        try:
            same = await sha256_of(self.target, info.key) == sha256
        except NotFound:
            self.wrong.append(f"{info.key} is missing")
            return
        if not same:
            self.wrong.append(f"{info.key} has other bytes")

    def _judge(self, key: str, sha256: str) -> None:
        """Compare what the source has with what its records say."""
        if (self.digests.of(key) or sha256) != sha256:
            self.damaged.append(f"{key} is not what its record says, in the source already")


async def sha256_of(blobs: Blobs, key: str) -> str:
    """Read an object and return its SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    async for chunk in blobs.read(key):
        digest.update(chunk)
    return digest.hexdigest()
