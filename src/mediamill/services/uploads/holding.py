"""Hold a resumable upload for the length of one request, and append to it durably.

What came is kept whatever ends the request: a cut connection, a body that pauses for too long, a
server that drains. Only bytes since the last whole part are lost when the server itself is killed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol

from mediamill.blobs.port import Blobs
from mediamill.blobs.port import Upload as Writing
from mediamill.core.clock import DAY
from mediamill.core.errors import (
    ChecksumMismatch,
    ConditionFailed,
    LimitExceeded,
    Locked,
    MediamillError,
    QuotaExceeded,
)
from mediamill.store.port import Action
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadPart, UploadRows, UploadState

LIFE_MS = DAY
"""How long an upload waits for its next byte."""
LEASE_MS = 6_000
"""How long an upload stays held after the last sign of its holder."""
PART = 16 << 20
"""Bytes of a part: what a killed server loses at most."""
MAX_CHECKED_PARTS = 64
"""Parts of one request with a checksum, which are recorded in one transaction."""

Completing = Callable[[Upload, int], Unit]
"""Makes the unit that is inserted, at a time (ms), together with the last byte."""


class Hash(Protocol):
    """What takes a checksum."""

    def update(self, data: bytes | memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


class Hold:
    """The writes of the one who holds an upload."""

    def __init__(self, rows: UploadRows, upload: Upload) -> None:
        self.rows, self.upload = rows, upload
        self._alive = True
        self.busy = False
        """Whether it works for its own part, so that it is no sign of death to be silent."""

    def touch(self) -> None:
        """Note a sign of life of the sender."""
        self._alive = True

    async def write(self, *others: Action, unit: Unit | None = None, **changes: Any) -> Upload:
        """Change the upload; raises `Locked` when somebody else took it, and `QuotaExceeded`."""
        try:
            self.upload = await self.rows.write(self.upload, *others, unit=unit, **changes)
        except ConditionFailed as error:
            raise _locked() from error
        return self.upload

    async def keep(self) -> None:
        """Extend the lease for as long as there are signs of life."""
        while True:
            await asyncio.sleep(LEASE_MS / 3000)
            if self._alive or self.busy:
                self._alive = False
                with suppress(MediamillError):
                    await self.rows.write(self.upload, until=await self._later())

    async def _later(self) -> int:
        return await self.rows.store.now() + LEASE_MS


@asynccontextmanager
async def held(rows: UploadRows, upload: Upload) -> AsyncIterator[Hold]:
    """Hold an upload for the length of the block; raises `Locked` when somebody else does."""
    now = await rows.store.now()
    if upload.until > now:
        raise _locked()
    try:
        hold = Hold(rows, await rows.take(upload, now + LEASE_MS))
    except ConditionFailed as error:
        raise _locked() from error
    keeping = asyncio.ensure_future(hold.keep())
    try:
        yield hold
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with suppress(MediamillError):
            await rows.write(hold.upload, until=0)


class Appender:
    """Appends the bytes of one request, a durable part at a time."""

    def __init__(
        self, blobs: Blobs, hold: Hold, most: int, completing: Completing, check: Hash | None = None
    ) -> None:
        self.blobs, self.hold, self.most, self.check = blobs, hold, most, check
        self._completing = completing
        self._stack, self._writing = AsyncExitStack(), None
        self._parts: list[UploadPart] = []
        """Stored, and not recorded yet."""
        self._end = hold.upload.offset
        """Where the stored parts end."""
        self._broken = False

    _writing: Writing | None

    async def take(self, chunks: AsyncIterator[bytes], expected: bytes | None = None) -> None:
        """Append a stream; `expected` is what `check` must come to.

        Raises `LimitExceeded` beyond the upload's length, `ChecksumMismatch` (then nothing is
        appended), `Locked` when another took the upload, `StorageFull`, and what the stream raises.
        """
        try:
            await self._take(chunks, expected)
        except BaseException:
            await self._discard()
            raise
        finally:
            await self._stack.aclose()

    async def _take(self, chunks: AsyncIterator[bytes], expected: bytes | None) -> None:
        try:
            async for chunk in chunks:
                self.hold.touch()
                await self._append(memoryview(chunk))
        except BaseException:
            if self.check is None and not self._broken:
                await self._finish_part()
            raise
        await self._finish_part()
        if self.check is not None:
            if self.check.digest() != expected:
                raise ChecksumMismatch("The bytes that arrived do not have this checksum.")
            await self._record()

    async def _append(self, chunk: memoryview) -> None:
        position = self._end + (self._writing.size if self._writing else 0)
        if position + len(chunk) > self.most:
            self._broken = True
            raise LimitExceeded(f"This upload has {self.most:,} bytes, and more were sent.")
        if self.check is not None:
            self.check.update(chunk)
        while chunk:
            writing = self._writing or await self._begin_part()
            room = PART - writing.size
            await self._guarded(writing, chunk[:room])
            chunk = chunk[room:]
            if writing.size >= PART:
                await self._finish_part()

    async def _begin_part(self) -> Writing:
        if len(self._parts) >= MAX_CHECKED_PARTS:
            self._broken = True
            most = MAX_CHECKED_PARTS * PART
            raise LimitExceeded(f"With a checksum, a request may have at most {most:,} bytes.")
        self._writing = await self._stack.enter_async_context(self.blobs.upload(self._next_blob()))
        return self._writing

    def _next_blob(self) -> str:
        upload = self.hold.upload
        return f"uploads/{upload.id}/{self._end:016d}-{upload.fence}"

    async def _guarded(self, writing: Writing, data: memoryview) -> None:
        try:
            await writing.write(data)
        except BaseException:
            self._broken = True  # the part has a hole: it cannot be kept
            raise

    async def _finish_part(self) -> None:
        """Make the part durable and, unless a checksum is awaited, record it."""
        writing, self._writing = self._writing, None
        if writing is None or not writing.size:
            return
        upload, self.hold.busy = self.hold.upload, True
        try:
            blob, digest = self._next_blob(), await writing.commit()
            await self._stack.aclose()
            self._parts.append(
                UploadPart(upload=upload.id, start=self._end, size=digest.size, blob=blob)
            )
            self._end += digest.size
            if self.check is None:
                await self._record()
        finally:
            self.hold.busy = False

    async def _record(self) -> None:
        """Count the stored parts in, in one transaction with what the last byte brings about."""
        parts, self._parts = self._parts, []
        now = await self.hold.rows.store.now()
        after = self.hold.upload.evolve(offset=self._end)
        changes: dict[str, Any] = {"offset": self._end, "until": now + LEASE_MS}
        changes["expires"] = now + LIFE_MS
        changes["charged"] = max(self.hold.upload.charged, self._end)
        unit = self._completing(after, now) if after.complete else None
        if unit is not None:
            changes["state"] = UploadState.CHECKING
        try:
            await self.hold.write(*UploadRows.insert(parts), unit=unit, **changes)
        except (Locked, QuotaExceeded):
            self._parts = parts  # any other failure may have been a success: the collector knows
            raise

    async def _discard(self) -> None:
        """Remove the blobs that no row will name."""
        for part in self._parts:
            with suppress(MediamillError):
                await self.blobs.delete(part.blob)


def _locked() -> Locked:
    return Locked("Another request is at this upload: ask for its offset and go on in a moment.")
