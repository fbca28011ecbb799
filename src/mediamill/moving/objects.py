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
SKEW_MS = 60_000
"""How far the clocks of a source and of this machine may be apart."""


class Damaged(Exception):
    """The source says that an object is not what was written."""


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
        """Copy the objects behind those that are there already, each read back and compared.

        The journal goes no further than the first that is wrong: the next run begins there. Then
        both sides are listed, and what the target lacks is copied too.
        """
        if not way.done:
            async for batch in _batches(objects_of(self.route, self.source, way.after)):
                await self._each(batch, self._copy)
                if not self.wrong:
                    way.after = batch[-1].key
                    way.objects += len(batch)
                    way.size += sum(info.size for info in batch)
                    await journal.save(progress)
        if not self.wrong:
            async for batch in _batches(self._lacking(progress)):
                await self._each(batch, self._copy)
        way.done = not self.wrong
        await journal.save(progress)

    async def _lacking(self, progress: Progress) -> AsyncIterator[BlobInfo]:
        """List what the target has not, or has in another size.

        Where a service ran on the source after the move began, what was written since then too: it
        may have replaced an object by one of the same size.
        """
        theirs = objects_of(self.route, self.target)
        there = await anext(theirs, None)
        async for info in objects_of(self.route, self.source):
            while there is not None and there.key < info.key:
                there = await anext(theirs, None)
            same = there is not None and (there.key, there.size) == (info.key, info.size)
            if not same or (progress.changed and info.modified >= progress.begun - SKEW_MS):
                yield info

    async def verify(self) -> int:
        """Compare all objects with what is read back from the target; return how many they are."""
        count = 0
        async for batch in _batches(objects_of(self.route, self.source)):
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

    async def _copy(self, info: BlobInfo) -> None:
        damaged = False
        for left in reversed(range(TRIES)):
            try:
                if await self._carried(info, as_it_is=damaged and not left):
                    return
            except Damaged:
                damaged = True
            except Unavailable:
                if not left:
                    raise
            await asyncio.sleep(PAUSE)
        self.wrong.append(f"{info.key} reads back with other bytes than were written")

    async def _carried(self, info: BlobInfo, *, as_it_is: bool) -> bool:
        """Write an object, read it back, and tell whether it is the same."""
        async with self.target.upload(info.key) as upload:
            async for chunk in self._source(info, as_it_is=as_it_is):
                await upload.write(chunk)
            written = await upload.commit()
        self._judge(info.key, written.sha256, damaged=as_it_is)
        return await self._there(info.key) == written.sha256

    async def _source(self, info: BlobInfo, *, as_it_is: bool) -> AsyncIterator[bytes]:
        """Read an object; raises `Damaged` unless it is to be read as it is."""
        if as_it_is:  # in two: a store has checksums of whole objects only
            parts = [self.source.read(info.key, 0, 1), self.source.read(info.key, 1)]
        else:
            parts = [self.source.read(info.key)]
        for part in parts:
            try:
                async for chunk in part:
                    yield chunk
            except BrokenMedia as error:
                if as_it_is:
                    raise
                raise Damaged(info.key) from error

    async def _there(self, key: str) -> str:
        """Return the SHA-256 of what the target gives back; of damaged content none."""
        try:
            return await sha256_of(self.target.read(key))
        except BrokenMedia:
            return ""

    async def _verify(self, info: BlobInfo) -> None:
        damaged = False
        try:
            sha256 = await sha256_of(self._source(info, as_it_is=False))
        except Damaged:
            damaged, sha256 = True, await sha256_of(self._source(info, as_it_is=True))
        self._judge(info.key, sha256, damaged=damaged)
        try:
            same = await self._there(info.key) == sha256
        except NotFound:
            self.wrong.append(f"{info.key} is missing")
            return
        if not same:
            self.wrong.append(f"{info.key} has other bytes")

    def _judge(self, key: str, sha256: str, *, damaged: bool) -> None:
        """Compare what the source has with what its records say."""
        if damaged or (self.digests.of(key) or sha256) != sha256:
            told = f"{key} is not what its record says, in the source already"
            if told not in self.damaged:
                self.damaged.append(told)


async def _batches(objects: AsyncIterator[BlobInfo]) -> AsyncIterator[list[BlobInfo]]:
    batch: list[BlobInfo] = []
    async for info in objects:
        batch.append(info)
        if len(batch) == BATCH or sum(each.size for each in batch) > BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


async def sha256_of(chunks: AsyncIterator[bytes]) -> str:
    """Return the SHA-256 of all chunks in hexadecimal."""
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
