"""What may come in: the one validator that the bytes of every way in pass."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mediamill.blobs.port import Blobs, Digest, PutsTogether
from mediamill.core.errors import InvalidInput, LimitExceeded, MediamillError, StorageFull
from mediamill.engine.inspect import Inspector, Viewed
from mediamill.media.facts import Facts
from mediamill.store.repositories.usage import Usages

PUTS_AT_ONCE = 8


@dataclass(frozen=True)
class Arrival:
    """A file that is here whole: whose, under which key it is to be, and what was said of it."""

    owner: str
    blob: str
    name: str
    data: bytes
    announced: str | None = None
    """The SHA-256 that was said."""


@dataclass(frozen=True)
class Admitted:
    """What is known of a file that was written and looked at."""

    digest: Digest
    facts: Facts


@dataclass
class Validator:
    """Refuses what is too large, has no room, is not what was announced, or is no good."""

    blobs: Blobs
    inspector: Inspector
    usages: Usages
    max_bytes: int

    async def require_room(self, owner: str, size: int | None, charged: int = 0) -> None:
        """Raise what forbids an announced size before its first byte.

        That is `LimitExceeded`, `QuotaExceeded` beyond what is `charged` already, `StorageFull`.
        """
        if size is not None and size > self.max_bytes:
            raise self.too_large()
        await self.usages.require(owner, 1 if size is None else size - charged, files=1)
        free = await self.blobs.free_bytes() if size is not None else None
        if size is not None and free is not None and size > free:
            raise _full(size)

    async def store(
        self, owner: str, blob: str, chunks: AsyncIterator[bytes], size: int | None
    ) -> Digest:
        """Write a stream durably; nothing is kept when it breaks or is refused.

        Raises `LimitExceeded` and `QuotaExceeded` as soon as they show, and `InvalidInput` for an
        empty stream or another length than announced.
        """
        room = await self.usages.room(owner)
        async with self.blobs.upload(blob) as upload:
            async for chunk in chunks:
                after = upload.size + len(chunk)
                if after > self.max_bytes:
                    raise self.too_large()
                if room is not None and after > room:
                    await self.usages.refuse(owner, after)
                await upload.write(chunk)
            if size is not None and upload.size != size:
                message = f"The upload ended after {upload.size} of {size} announced bytes."
                raise InvalidInput(message)
            if upload.size == 0:
                raise _empty()
            return await upload.commit()

    async def keep(self, owner: str, blob: str, data: bytes) -> Digest:
        """Write bytes that are here already, durably; raises what `require_room` and `look` do."""
        await self.require_room(owner, len(data))
        if not data:
            raise _empty()
        return await self.blobs.put(blob, data)

    async def look(
        self, blob: str, name: str, digest: Digest, announced: str | None = None
    ) -> Facts:
        """Look at stored bytes, in a slot; `announced` is the SHA-256 that was said.

        Raises `LimitExceeded`, `InvalidInput`, and whatever `media.probe` finds wrong.
        """
        if digest.size > self.max_bytes:
            raise self.too_large()
        if digest.size == 0:
            raise _empty()
        if announced not in (None, digest.sha256):
            raise _other(digest, announced)
        return await self.inspector.look(self.blobs, blob, name, digest.size)

    async def admit(self, arrivals: Sequence[Arrival]) -> Sequence[Admitted | MediamillError]:
        """Write files durably and look at them, all in one go; return what came of each.

        That is what is known of it, or what `keep` and `look` would raise; then nothing is left.
        """
        refused = await self._refusals(arrivals)
        taken = [one for one, error in zip(arrivals, refused, strict=True) if error is None]
        came = iter(await self._written(taken))
        return [error or next(came) for error in refused]

    async def _refusals(self, arrivals: Sequence[Arrival]) -> Sequence[MediamillError | None]:
        """Return what is wrong with each as far as that can be told before a byte is written."""
        free = await self.blobs.free_bytes()
        rooms = {one.owner: 0 for one in arrivals}
        for owner in rooms:
            room = await self.usages.room(owner)
            rooms[owner] = self.max_bytes if room is None else room
        return [await self._refusal(one, free, rooms[one.owner]) for one in arrivals]

    async def _refusal(self, one: Arrival, free: int | None, room: int) -> MediamillError | None:
        size = len(one.data)
        if not size:
            return _empty()
        if size > self.max_bytes:
            return self.too_large()
        if free is not None and size > free:
            return _full(size)
        if size <= room:
            return None
        try:
            await self.usages.refuse(one.owner, size)
        except MediamillError as error:
            return error

    async def _written(self, arrivals: Sequence[Arrival]) -> Sequence[Admitted | MediamillError]:
        try:
            digests = await put_together(self.blobs, [(one.blob, one.data) for one in arrivals])
        except MediamillError as error:
            return [error] * len(arrivals)
        views = [Viewed(one.blob, one.name, one.data) for one in arrivals]
        facts = await self.inspector.look_all(self.blobs, views)
        judged = map(_judged, arrivals, digests, facts)
        for one, found in zip(arrivals, came := [*judged], strict=True):
            if isinstance(found, MediamillError):
                await self.blobs.delete(one.blob)
        return came

    def too_large(self) -> LimitExceeded:
        """Make the error of a file beyond the limit."""
        return LimitExceeded(f"Files may have at most {self.max_bytes:,} bytes here.")


async def put_together(blobs: Blobs, objects: Sequence[tuple[str, bytes]]) -> Sequence[Digest]:
    """Write small objects whole, at a stroke or beside each other; raises if one is not written."""
    if isinstance(blobs, PutsTogether):
        return await blobs.put_all(objects)
    room = asyncio.Semaphore(PUTS_AT_ONCE)

    async def put(key: str, data: bytes) -> Digest:
        async with room:
            return await blobs.put(key, data)

    written = await asyncio.gather(*(put(*one) for one in objects), return_exceptions=True)
    for one in written:
        if isinstance(one, BaseException):
            raise one
    return [one for one in written if isinstance(one, Digest)]


def _judged(
    arrival: Arrival, digest: Digest, found: Facts | MediamillError
) -> Admitted | MediamillError:
    if arrival.announced not in (None, digest.sha256):
        return _other(digest, arrival.announced)
    return found if isinstance(found, MediamillError) else Admitted(digest, found)


def _empty() -> InvalidInput:
    return InvalidInput("The file is empty.")


def _full(size: int) -> StorageFull:
    return StorageFull(
        f"There is no room for {size:,} bytes here now: delete files, or try again later."
    )


def _other(digest: Digest, announced: str | None) -> InvalidInput:
    return InvalidInput(
        f"The bytes that arrived have the SHA-256 {digest.sha256}, not the announced "
        f"{announced}: send the file again."
    )
