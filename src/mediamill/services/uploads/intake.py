"""Take files in: every way in ends here, so that one validator sees everything.

A file is acknowledged when its bytes are durable, its content has been looked at in a slot, and
its row is committed, in this order. There are three ways to come here:

    receive              a stream while the sender waits; what is refused leaves nothing behind
    accept               bytes that are stored already, the sender waits; likewise
    begin … finish       in the background: the row is there from the start, and says what became
                         of the file; `reject` ends it when there is nothing to finish
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs, Digest
from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.errors import (
    ConditionFailed,
    InvalidInput,
    LimitExceeded,
    MediamillError,
    NotFound,
    StorageFull,
)
from mediamill.core.ids import new_id
from mediamill.engine.inspect import Inspector
from mediamill.media.archive.names import safe_name
from mediamill.media.probe import Facts
from mediamill.services.files.purging import dooming, purge_unit
from mediamill.services.repeats.attempts import made_before, require_same
from mediamill.store.port import Absent, Action, Equals, Put, Store, Update
from mediamill.store.repositories.files import File, FileState, digest_key, tag_rows
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

THUMBNAILED = ("image/", "video/")
UNKNOWN_TYPE = "application/octet-stream"
REJECTED_MS = 7 * DAY
"""How long a file that was rejected in the background is listed with the reason."""


@dataclass(frozen=True)
class Label:
    """What is said of a file beside its bytes: `tags` as `services/tags.py` leaves them."""

    source: str = "upload"
    tags: tuple[str, ...] = ()
    sha256: str | None = None
    """What the bytes must hash to, in lower-case hexadecimal."""
    lineage: Mapping[str, Any] = field(default_factory=dict)


UPLOADED = Label()


@dataclass
class Uploads:
    """Receives bytes and makes them a file."""

    store: Store
    units: Units
    blobs: Blobs
    inspector: Inspector
    bell: Doorbell
    max_bytes: int

    # -- while the sender waits -----------------------------------------------------------------

    async def receive(
        self,
        principal: Principal,
        name: str,
        chunks: AsyncIterator[bytes],
        size: int | None,
        label: Label = UPLOADED,
    ) -> File:
        """Store a stream as a new file of the caller.

        `size` is what the sender announced, in bytes. Raises `LimitExceeded`, `InvalidInput` for
        an empty or shorter stream or another digest than the label's, whatever `media.probe` finds
        wrong, and `StorageFull`.
        """
        await self.require_room(size)
        if (made := await made_before(self.store, principal, File, "file")) is not None:
            await require_same(made, chunks)
            return made
        file_id = new_id("file")
        digest = await self._store(f"files/{file_id}", chunks, size)
        return await self.accept(principal, file_id, name, digest, label)

    async def accept(
        self,
        principal: Principal,
        file_id: str,
        name: str,
        digest: Digest,
        label: Label = UPLOADED,
        also: Sequence[Action] = (),
    ) -> File:
        """Make the blob `files/{file_id}` a new file of the caller; refused, it is removed.

        `also` is written in the same transaction. Raises what `receive` does, and
        `ConditionFailed` for a guard in `also`: the blob is then left to the caller.
        """
        blob = f"files/{file_id}"
        try:
            self._check(digest, label.sha256)
            facts = await self.inspector.look(self.blobs, blob, name, digest.size)
        except BaseException:
            await self.blobs.delete(blob)
            raise
        begun = await self._begun(principal, file_id, name, digest.size, label)
        file = begun.evolve(state=FileState.READY, **_known(begun, digest, facts))
        # should this fail, the row may be there nevertheless: the collector will know
        await self._write(drawing(file), *_rows(file), *also)
        log.info("file received", action="file_received", size=file.size, **file.log_context())
        return file

    async def require_room(self, size: int | None) -> None:
        """Raise `LimitExceeded` or `StorageFull` for an announced size before its first byte."""
        if size is None:
            return
        if size > self.max_bytes:
            raise self._too_large()
        free = await self.blobs.free_bytes()
        if free is not None and size > free:
            raise StorageFull(
                f"There is no room for {size:,} bytes here now: delete files, or try again later."
            )

    # -- in the background ----------------------------------------------------------------------

    async def begin(
        self,
        principal: Principal,
        name: str,
        size: int | None,
        source: str = "import",
        *,
        tags: tuple[str, ...] = (),
        lineage: Mapping[str, Any] | None = None,
        work: Callable[[File], Unit] | None = None,
    ) -> File:
        """List a new file as `receiving`; its bytes belong under `file.blob`.

        `size` is what is expected, in bytes, None where it is not known. `work` makes the unit that
        will fetch them, written with the row. Raises as `require_room`.
        """
        if made := await made_before(self.store, principal, File, "file"):
            return made
        await self.require_room(size)
        label = Label(source, tags, lineage=lineage or {})
        file = await self._begun(principal, new_id("file"), name, size or 0, label)
        await self._write([work(file)] if work else (), *_rows(file))
        log.info("file begun", action="file_begun", source=source, **file.log_context())
        return file

    async def progress(self, file: File, received: int, size: int | None = None) -> None:
        """Note how many bytes are here; raises `NotFound` when the file was deleted meanwhile."""
        fields = {"received": received} if size is None else {"received": received, "size": size}
        guard = Equals("state", FileState.RECEIVING)
        try:
            await self.store.transact(Update(File, (file.id,), set=fields, when=(guard,)))
        except ConditionFailed:
            raise _gone(file) from None

    async def finish(self, file: File, digest: Digest) -> File:
        """Look at a background file whose bytes are all there; return it `ready` or `rejected`.

        Again is harmless. Raises `NotFound`, the bytes removed, when it was deleted meanwhile.
        """
        if not file.passing:
            return file
        file = file.evolve(size=digest.size)
        arrived = {"size": digest.size, "received": digest.size}
        await self._move(file, {"state": FileState.CHECKING, **arrived})
        file = file.evolve(state=FileState.CHECKING)
        try:
            self._check(digest)
            facts = await self.inspector.look(self.blobs, file.blob, file.name, digest.size)
        except InvalidInput as error:
            return await self.reject(file, error)
        known = _known(file, digest, facts)
        ready = file.evolve(state=FileState.READY, **known)
        await self._move(file, {"state": FileState.READY, **known}, drawing(ready))
        log.info("file received", action="file_received", size=ready.size, **ready.log_context())
        return await self._again(file)

    async def reject(self, file: File, error: MediamillError) -> File:
        """End a background file with the reason; it is listed for a week, its bytes go.

        Raises `NotFound` when it was deleted meanwhile.
        """
        now = await self.store.now()
        due = now + REJECTED_MS
        fields = {
            "state": FileState.REJECTED,
            "code": error.code,
            "error": error.message[:1000],
            "thumbnail": "",
            **dooming(file, due),
        }
        await self._move(file, fields, [purge_unit(file, now, due)])
        await self.blobs.delete(file.blob)
        log.info("file rejected", action="file_rejected", code=error.code, **file.log_context())
        return await self._again(file)

    async def _move(self, file: File, fields: dict[str, Any], units: Sequence[Unit] = ()) -> None:
        """Write a background file's next state; raises `NotFound`, the bytes removed, if it went.

        The guard is its state alone: its owner may well rename it meanwhile.
        """
        guard = (Equals("state", file.state),)
        step = Update(File, (file.id,), set=fields, add={"revision": 1}, when=guard)
        try:
            await self._write(units, step)
        except ConditionFailed:
            await self.blobs.delete(file.blob)
            raise _gone(file) from None

    async def _again(self, file: File) -> File:
        found = await self.store.get(File, file.id)
        if found is None:
            raise _gone(file)
        return found

    # -- steps ----------------------------------------------------------------------------------

    async def _store(self, blob: str, chunks: AsyncIterator[bytes], size: int | None) -> Digest:
        """Write the stream durably; nothing is kept when it breaks or is refused."""
        async with self.blobs.upload() as upload:
            async for chunk in chunks:
                if upload.size + len(chunk) > self.max_bytes:
                    raise self._too_large()
                await upload.write(chunk)
            if size is not None and upload.size != size:
                message = f"The upload ended after {upload.size} of {size} announced bytes."
                raise InvalidInput(message)
            if upload.size == 0:
                raise _empty()
            return await upload.commit(blob)

    def _check(self, digest: Digest, sha256: str | None = None) -> None:
        """Refuse bytes by what was measured while they came."""
        if digest.size > self.max_bytes:
            raise self._too_large()
        if digest.size == 0:
            raise _empty()
        if sha256 not in (None, digest.sha256):
            raise InvalidInput(
                f"The bytes that arrived have the SHA-256 {digest.sha256}, not the announced "
                f"{sha256}: send the file again."
            )

    def _too_large(self) -> LimitExceeded:
        return LimitExceeded(f"Files may have at most {self.max_bytes:,} bytes here.")

    async def _begun(
        self, principal: Principal, file_id: str, name: str, size: int, label: Label
    ) -> File:
        """Make the row of a file of which only what was said is known."""
        return File(
            id=file_id,
            owner=principal.user,
            listed=principal.user,
            name=safe_name(name),
            media_type=UNKNOWN_TYPE,
            size=size,
            sha256="",
            crc32=0,
            source=label.source,
            state=FileState.RECEIVING,
            blob=f"files/{file_id}",
            thumbnail="",
            lineage=dict(label.lineage),
            tags=label.tags,
            created=await self.store.now(),
        )

    async def _write(self, units: Sequence[Unit], *rows: Action) -> None:
        """Commit rows, and the housekeeping that goes with them, in one transaction."""
        if not units:
            await self.store.transact(*rows)
            return
        await self.units.insert(units, *rows)
        await self.bell.ring("work:housekeeping")


def _rows(file: File) -> list[Put]:
    """Put a new file and what it is found by."""
    return [Put(file, when=(Absent(),)), *(Put(row) for row in tag_rows(file))]


def _known(file: File, digest: Digest, facts: Facts) -> dict[str, Any]:
    """Return the fields that looking at the bytes has filled."""
    return {
        "blob": file.blob,  # a claimant that fetched it may have put it elsewhere than announced
        "media_type": facts.media_type,
        "size": digest.size,
        "received": digest.size,
        "sha256": digest.sha256,
        "crc32": digest.crc32,
        "digest": digest_key(file.owner, digest.sha256),
        "width": facts.width,
        "height": facts.height,
        "duration": facts.duration,
        "thumbnail": None if facts.media_type.startswith(THUMBNAILED) else "",
    }


def drawing(file: File) -> list[Unit]:
    """Make the unit that draws a file's thumbnail, if it may have one."""
    if file.thumbnail is not None:
        return []
    group, now = f"thumbnail:{file.id}", file.created
    return [Unit.chore("thumbnail", group, 0, file.owner, cost=0.2, now=now, due=now, file=file.id)]


def _empty() -> InvalidInput:
    return InvalidInput("The file is empty.")


def _gone(file: File) -> NotFound:
    return NotFound(f"There is no file {file.id} any more: it was deleted while it came in.")
