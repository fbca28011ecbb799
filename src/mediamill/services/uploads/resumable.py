"""Resumable uploads: create, append, ask, delete; with its last byte one becomes a file.

Bytes are stored as parts, `uploads/{id}/{start}-{fence}`, which survive anything once their request
is answered. What is complete is put together under the file's own key, measured, and goes through
the validator of every other way in (`Uploads.accept`): while the sender waits if it is small, in a
unit of work if it is large. The unit is there in both cases, so a complete upload becomes a file
even if the server dies at that moment.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.clock import SECOND
from mediamill.core.errors import (
    ConditionFailed,
    Conflict,
    Gone,
    InvalidInput,
    LimitExceeded,
    StorageFull,
)
from mediamill.core.ids import new_id
from mediamill.media.archive.names import safe_name
from mediamill.services.access import Access
from mediamill.services.projects.service import ProjectService
from mediamill.services.repeats.attempts import made_before
from mediamill.services.uploads.assembling import Assembler, finish_unit
from mediamill.services.uploads.holding import LIFE_MS, Appender, Hash, Hold, held
from mediamill.services.uploads.validating import Validator
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadRows, UploadState

log = structlog.get_logger(__name__)

SMALL = 64 << 20
"""Up to so many bytes an upload is checked while its sender waits."""
WAITED_MS = 20 * SECOND
"""When a worker looks after a small one, should the server that checks it have died."""
SETTLE_SECONDS = 1.5


@dataclass(frozen=True)
class Announced:
    """What is said of a file before its bytes come; `size` is None where it is not known yet."""

    name: str
    size: int | None
    metadata: str = ""
    tags: tuple[str, ...] = ()
    project: str = ""
    sha256: str | None = None


@dataclass(frozen=True)
class Body:
    """The bytes of one request, and what is said of them.

    `length` is how many were announced, `size` the whole upload's length where it is told only
    now, `check` takes the checksum that must come to `expected`.
    """

    chunks: AsyncIterator[bytes]
    length: int | None = None
    size: int | None = None
    check: Hash | None = None
    expected: bytes | None = None


@dataclass
class Resumable:
    """What a caller may do with uploads that go over several requests."""

    access: Access
    rows: UploadRows
    blobs: Blobs
    validator: Validator
    assembler: Assembler
    projects: ProjectService
    bell: Doorbell

    async def create(self, principal: Principal, announced: Announced) -> Upload:
        """Begin an upload, and take its room.

        Raises `LimitExceeded`, `QuotaExceeded`, `StorageFull`, and `InvalidInput` for no bytes.
        """
        if made := await made_before(self.rows.store, principal, Upload, "upload"):
            return made
        await self._require_room(principal.user, announced.size)
        if announced.project:
            await self.projects.welcome(principal, announced.project)
        now = await self.rows.store.now()
        upload = Upload(
            id=new_id("upload"),
            owner=principal.user,
            name=safe_name(announced.name),
            size=announced.size,
            charged=announced.size or 0,
            metadata=announced.metadata,
            tags=announced.tags,
            project=announced.project,
            sha256=announced.sha256,
            created=now,
            expires=now + LIFE_MS,
        )
        await self.rows.begin(upload, expiry(upload))
        log.info("upload begun", action="upload_begun", size=upload.size, **upload.log_context())
        return upload

    async def get(self, principal: Principal, upload_id: str) -> Upload:
        """Return an upload; raises `NotFound`."""
        return await self.access.load(principal, Upload, upload_id)

    async def settled(self, principal: Principal, upload_id: str) -> Upload:
        """Return an upload whose offset is worth going on from.

        A request that was just cut still stores what came: it is waited for, for a moment. Raises
        `Gone` for one that is rejected or has expired.
        """
        for _ in range(int(SETTLE_SECONDS * 10)):
            upload = await self._open(principal, upload_id)
            if upload.until <= await self.rows.store.now():
                return upload
            await asyncio.sleep(0.1)
        return await self._open(principal, upload_id)

    async def append(
        self, principal: Principal, upload_id: str, offset: int, body: Body
    ) -> tuple[Upload, File | None]:
        """Append bytes at an offset; return the upload, and its file if it has become one.

        When this returns the bytes are durable. Raises `Gone`, `Locked` while another request is
        at it, `Conflict` for another offset, what `Appender.take` raises, and with the last byte
        whatever the validator finds wrong: the upload is then rejected and its bytes are gone.
        """
        upload = await self._open(principal, upload_id, Right.OWN)
        if upload.state is not UploadState.RECEIVING:
            _refuse_more(upload, offset, body)
            return upload, await self._file(upload)
        async with held(self.rows, upload) as hold:
            self._refuse_misfit(hold.upload, offset, body)
            if body.size is not None and hold.upload.size is None:
                await self._declare(hold, body.size)
            await self._append(hold, body)
            if hold.upload.state is not UploadState.CHECKING:
                return hold.upload, None
            if hold.upload.offset <= SMALL:
                file = await self.assembler.finish(hold)
                return hold.upload, file
        await self.bell.ring("work:interactive")
        return hold.upload, None

    async def delete(self, principal: Principal, upload_id: str) -> None:
        """End an upload at once, also under a request that appends to it; its file stays."""
        upload = await self.access.load(principal, Upload, upload_id, Right.OWN)
        while not upload.hidden:
            try:
                upload = await self.rows.end(upload)
            except ConditionFailed:
                upload = await self.access.load(principal, Upload, upload_id, Right.OWN)
        if not (upload.direct and upload.file):  # else its check takes the bytes, and removes them
            await self.assembler.remove(upload)
        note("upload_deleted", upload.id, owner=upload.owner)

    # -- steps ----------------------------------------------------------------------------------

    async def _open(
        self, principal: Principal, upload_id: str, right: Right = Right.VIEW
    ) -> Upload:
        upload = await self.access.load(principal, Upload, upload_id, right)
        if upload.state is UploadState.REJECTED:
            raise Gone(f"The upload was rejected: {upload.error}", code=upload.code)
        if upload.expires <= await self.rows.store.now():
            raise Gone("The upload has expired: begin a new one.")
        if upload.direct:
            message = "This upload goes to the bucket: see /parts for where its bytes are to go."
            raise Conflict(message, state=upload.state)
        return upload

    async def _require_room(self, owner: str, size: int | None, charged: int = 0) -> None:
        if size == 0:
            raise InvalidInput("The file is empty.")
        await self.validator.require_room(owner, size, charged)
        free = await self.blobs.free_bytes()
        if size is not None and free is not None and 2 * size > free:
            message = f"There is no room for {size:,} bytes twice, in parts and put together."
            raise StorageFull(message)

    def _refuse_misfit(self, upload: Upload, offset: int, body: Body) -> None:
        if offset != upload.offset:
            message = f"This upload is at byte {upload.offset:,}, not {offset:,}: go on from there."
            raise Conflict(message, offset=upload.offset)
        if body.size is not None and upload.size not in (None, body.size):
            raise Conflict(f"This upload’s length is {upload.size:,} bytes, and cannot change.")
        if body.size is not None and body.size < max(offset, 1):
            raise InvalidInput("The length is less than what is here already.")
        most = self._most(upload, body)
        if body.length is not None and offset + body.length > most:
            raise LimitExceeded(f"This upload takes {most:,} bytes, and more were sent.")

    async def _declare(self, hold: Hold, size: int) -> None:
        """Set the length of an upload that began without; it may be complete with that."""
        await self._require_room(hold.upload.owner, size, hold.upload.charged)
        if size > hold.upload.offset:
            await hold.write(size=size, charged=size)
            return
        unit = self._finish_unit(hold.upload, await self.rows.store.now())
        await hold.write(size=size, charged=size, state=UploadState.CHECKING, unit=unit)

    async def _append(self, hold: Hold, body: Body) -> None:
        most = self._most(hold.upload, body)
        appender = Appender(self.blobs, hold, most, self._finish_unit, body.check)
        await appender.take(body.chunks, body.expected)

    def _most(self, upload: Upload, body: Body) -> int:
        size = upload.size if upload.size is not None else body.size
        return self.validator.max_bytes if size is None else size

    def _finish_unit(self, upload: Upload, now: int) -> Unit:
        small = upload.offset <= SMALL
        return finish_unit(upload, now).opened(now + WAITED_MS if small else now)

    async def _file(self, upload: Upload) -> File | None:
        return await self.rows.store.get(File, upload.file) if upload.file else None


def _refuse_more(upload: Upload, offset: int, body: Body) -> None:
    """Let the end of an upload be said twice, and nothing be added to it."""
    if offset != upload.offset or body.length != 0:
        message = f"This upload is complete at {upload.offset:,} bytes."
        raise Conflict(message, offset=upload.offset)


def expiry(upload: Upload) -> Unit:
    """Make the unit that removes an upload when nothing came for long."""
    group, now, due = f"upload:{upload.id}", upload.created, upload.expires
    return Unit.chore(
        "expire_upload", group, 0, upload.owner, cost=0.05, now=now, due=due, upload=upload.id
    )
