"""`fetch`: bring a file in from a web address, in as many tries as it takes.

What has arrived is kept in parts, `imports/{file}/{place}-{fence}`, where the source can continue
(it gives a strong ETag and ranges): a broken connection, a killed worker or the end of a turn costs
at most one part. Where it cannot, every try begins anew. The whole file goes under a name with the
fence of its claim, so whoever lost the lease overwrites nothing.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from mediamill.adapters.fetch.client import Fetched, Fetcher
from mediamill.blobs.port import Blobs, Digest, Upload
from mediamill.core.clock import DAY, SECOND
from mediamill.core.errors import (
    ConditionFailed,
    FetchFailed,
    InvalidInput,
    LimitExceeded,
    MediamillError,
    NotFound,
    SourceUnavailable,
    UnsupportedMedia,
)
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.media.archive.names import safe_name
from mediamill.media.sniff import sniff
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.files import File, Files, FileState

log = structlog.get_logger(__name__)

PART_BYTES = 64 << 20
TURN_SECONDS = 600
"""How long one claim fetches before another file gets its turn, where the source can continue."""
DEADLINE_MS = DAY
PROGRESS_SECONDS = 1.0
WORTH_BYTES = 1 << 20
"""A try that brought so much was no failure."""
LOOKED_AT = 1024


class Intake(Protocol):
    """What becomes of a file that comes in the background, as `services/uploads/arriving.py`."""

    async def progress(self, file: File, received: int, size: int | None = None) -> None:
        """Note what is here; raises `NotFound` when the file was deleted."""

    async def finish(self, file: File, digest: Digest, announced: str | None = None) -> File:
        """Look at the bytes under `file.blob`, whose SHA-256 may have been announced.

        The file is then ready, or rejected; raises `NotFound` when it was not passing any more.
        """

    async def reject(self, file: File, error: MediamillError) -> File:
        """End it with a reason."""


@dataclass
class Fetch:
    """Fetches files whose rows are `receiving`."""

    files: Files
    blobs: Blobs
    intake: Intake
    fetcher: Fetcher
    max_bytes: int
    part_bytes: int = PART_BYTES
    turn_seconds: float = TURN_SECONDS
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    async def run(self, lease: Lease) -> None:
        file = await self.files.get(lease.unit.payload["file"])
        if file is None or not file.passing:
            await self._leave(lease)
            return
        trip = Trip(self, lease, file)
        try:
            if await trip.go():
                await self._leave(lease)
        except NotFound:  # deleted meanwhile
            await self._leave(lease)
        except SourceUnavailable as error:
            await self._later(trip, error)

    async def _later(self, trip: "Trip", error: SourceUnavailable) -> None:
        """Try again: soon after progress, when the source says, else as the engine decides."""
        lease, wait = trip.lease, int(error.details.get("after_ms") or 0)
        if await self.files.store.now() > trip.file.created + DEADLINE_MS:
            raise FetchFailed(f"The file did not arrive within a day. {error.message}") from error
        if trip.brought >= WORTH_BYTES:
            await lease.release(max(wait, SECOND))
        elif wait and lease.unit.attempts + 1 < self.policy.attempts:
            await lease.release(wait, error.message)
        else:
            raise error

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Reject the file with the reason."""
        if not isinstance(error, MediamillError):
            error = FetchFailed("The file could not be fetched; the log of the service says why.")
        file = await self.files.get(lease.unit.payload["file"])
        if file is not None and file.passing:
            file = file.evolve(blob=lease.unit.payload.get("blob", file.blob))
            try:
                await self.intake.reject(file, error)
            except NotFound:
                log.info("deleted meanwhile", action="import_deleted", **file.log_context())
        await self._leave(lease)

    async def _leave(self, lease: Lease) -> None:
        """Close the unit; the address, which may hold a secret, and the parts go."""
        file_id = lease.unit.payload["file"]
        await self.drop_parts(file_id)
        await lease.finish(payload={"file": file_id})

    async def drop_parts(self, file_id: str) -> None:
        """Remove what has arrived."""
        async for part in self.blobs.list(f"imports/{file_id}/"):
            await self.blobs.delete(part.key)


class Trip:
    """One claim's try at a file."""

    def __init__(self, handler: Fetch, lease: Lease, file: File) -> None:
        self.handler, self.lease, self.file = handler, lease, file
        self.brought = 0
        """Bytes made durable in this try."""
        self._began = self._shown = time.monotonic()
        self._head = bytearray()

    @property
    def state(self) -> dict[str, Any]:
        return self.lease.unit.payload

    @property
    def parts(self) -> list[list[int]]:
        """Size and fence of each part that has arrived, in order."""
        return self.state.get("parts") or []

    @property
    def received(self) -> int:
        return sum(size for size, _ in self.parts)

    async def go(self) -> bool:
        """Fetch what is missing; True when the file has its outcome, False when given back."""
        digest = self._digest_before() or await self._fetch()
        if digest is None:
            return False
        expected = self.state.get("sha256")
        if expected and expected != digest.sha256:
            message = f"The bytes have the SHA-256 {digest.sha256}, not the announced {expected}."
            raise InvalidInput(message)
        self.file = self.file.evolve(blob=self.state["blob"])
        await self.handler.intake.finish(self.file, digest)
        return True

    def _digest_before(self) -> Digest | None:
        """Return what an earlier claimant fetched whole but did not come to finish."""
        found = self.state.get("digest")
        return None if found is None else Digest(*found)

    async def _fetch(self) -> Digest | None:
        place, validator = self.received, self.state.get("validator", "")
        url = self.state["url"]
        async with self.handler.fetcher.get(url, place, validator) as fetched:
            await self._begin(fetched)
            if not await self._body(fetched):
                await self.lease.release()
                return None
        return await self._whole()

    async def _begin(self, fetched: Fetched) -> None:
        """Take note of an answer's head; what it does not continue is dropped."""
        if fetched.size is not None and fetched.size > self.handler.max_bytes:
            raise self._too_large()
        if fetched.start == 0:
            same = bool(self.parts) and fetched.validator == self.state.get("validator")
            plain = bool(self.state.get("plain")) or same  # it knows the file, yet begins anew
            validator = "" if plain else fetched.validator
            await self._write(parts=[], validator=validator, plain=plain)
        if fetched.name and not self.state.get("named"):
            await self._rename(fetched.name)
        await self.handler.intake.progress(self.file, self.received, fetched.size)

    @property
    def _continues(self) -> bool:
        """Tell whether a later try can go on where this one ends."""
        return bool(self.state.get("validator"))

    async def _rename(self, name: str) -> None:
        """Call the file what the answer calls it, unless its owner has named it meanwhile."""
        fresh = safe_name(name)
        if fresh == self.file.name:
            return
        guard = (Equals("state", FileState.RECEIVING), Equals("name", self.file.name))
        change = Update(File, (self.file.id,), set={"name": fresh}, add={"revision": 1}, when=guard)
        try:
            await self.handler.files.store.transact(change)
        except ConditionFailed:
            return
        self.file = self.file.evolve(name=fresh)

    async def _body(self, fetched: Fetched) -> bool:
        """Store the rest, part by part; False when the turn is over before the end."""
        chunks = fetched.chunks
        while True:
            key = self._part_key(self.received, self.lease.unit.fence)
            async with self.handler.blobs.upload(key) as upload:
                try:
                    ended = await self._part(fetched, chunks, upload)
                except SourceUnavailable:
                    if self._continues and upload.size:
                        await self._keep(upload)
                    raise
                if ended and not self.parts:
                    digest = await upload.commit()
                    await self.handler.blobs.copy(key, self._blob)
                    await self._note(digest)
                    return True
                if upload.size:
                    await self._keep(upload)
            if ended or time.monotonic() - self._began > self.handler.turn_seconds:
                return ended

    async def _part(self, fetched: Fetched, chunks: AsyncIterator[bytes], upload: Upload) -> bool:
        """Write up to a part's length, or all where the source cannot continue; True at the end."""
        before = self.received
        async for chunk in chunks:
            if before + upload.size + len(chunk) > self.handler.max_bytes:
                raise self._too_large()
            await upload.write(chunk)
            if before + upload.size < LOOKED_AT + len(chunk):
                self._look(chunk)
            await self._show(before + upload.size, fetched.size)
            if self._continues and upload.size >= self.handler.part_bytes:
                return False
        if fetched.size is not None and before + upload.size != fetched.size:
            raise SourceUnavailable("The source gave another number of bytes than it announced.")
        return True

    def _look(self, chunk: bytes) -> None:
        """Refuse a web page early: it is what a sign-in or an error looks like."""
        self._head += chunk[:LOOKED_AT]
        if self.received == 0 and sniff(bytes(self._head[:LOOKED_AT])) == "text/html":
            raise UnsupportedMedia(
                "The address gives a web page, not a file: it may want to be signed in to."
            )

    async def _show(self, received: int, size: int | None) -> None:
        """Write progress now and then; raises `NotFound` when the file was deleted."""
        now = time.monotonic()
        if now - self._shown >= PROGRESS_SECONDS:
            self._shown = now
            await self.handler.intake.progress(self.file, received, size)

    async def _keep(self, upload: Upload) -> None:
        """Make a part durable, and then known."""
        fence, size = self.lease.unit.fence, upload.size
        await upload.commit()
        await self._write(parts=[*self.parts, [size, fence]])
        self.brought += size

    @property
    def _blob(self) -> str:
        """Where the whole file goes; no other claim writes there."""
        return f"files/{self.file.id}/{self.lease.unit.fence}"

    async def _note(self, digest: Digest) -> None:
        """Remember that the whole file is there."""
        await self._write(blob=self._blob, digest=[digest.size, digest.sha256, digest.crc32])

    async def _whole(self) -> Digest | None:
        """Put the parts together, unless one part was all."""
        if self._digest_before() is None:
            async with AsyncExitStack() as stack:
                upload = await stack.enter_async_context(self.handler.blobs.upload(self._blob))
                place = 0
                for size, fence in self.parts:
                    async for chunk in self.handler.blobs.read(self._part_key(place, fence)):
                        await upload.write(chunk)
                    place += size
                await self._note(await upload.commit())
        return self._digest_before()

    def _part_key(self, place: int, fence: int) -> str:
        return f"imports/{self.file.id}/{place:015d}-{fence}"

    async def _write(self, **changes: Any) -> None:
        """Remember something under the fence of this claim."""
        await self.lease.write(payload={**self.state, **changes})

    def _too_large(self) -> LimitExceeded:
        return LimitExceeded(f"Files may have at most {self.handler.max_bytes:,} bytes here.")
