"""Make a complete resumable upload a file, and remove what is left of an upload.

The file's row and the upload's end are one transaction under the upload's fence, and every attempt
writes a file of its own id: two that meet (a server that stood still, a worker that took over)
cannot make two files, nor take bytes away from each other.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.blobs.digests import digest_of
from mediamill.blobs.port import Blobs, Composes, Digest
from mediamill.core.access import Principal
from mediamill.core.errors import (
    ConditionFailed,
    InvalidInput,
    Locked,
    MediamillError,
    NotFound,
    ProjectFull,
)
from mediamill.core.ids import new_id
from mediamill.services.projects.service import ProjectService
from mediamill.services.uploads.holding import LIFE_MS, Hold, held
from mediamill.services.uploads.intake import Uploads
from mediamill.services.uploads.recording import Label
from mediamill.services.uploads.withdrawing import withdraw
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadPart, UploadRows, UploadState

log = structlog.get_logger(__name__)

BYTES_PER_SECOND = 100 << 20
"""A guess at how fast parts are put together and measured."""
LARGE = 1 << 30
"""From here on the work is `bulk`."""


def finish_unit(upload: Upload, now: int) -> Unit:
    """Make the unit that makes a complete upload a file."""
    return Unit(
        group=f"upload:{upload.id}",
        seq=1,
        kind="finish_upload",
        owner=upload.owner,
        klass="bulk" if upload.offset >= LARGE else "interactive",
        cost=0.2 + upload.offset / BYTES_PER_SECOND,
        payload={"upload": upload.id},
        created=now,
    )


@dataclass
class Assembler:
    """Puts parts together."""

    rows: UploadRows
    blobs: Blobs
    uploads: Uploads
    projects: ProjectService

    async def resume(self, upload_id: str) -> bool:
        """Finish an upload that is complete; False when it is in other hands and not done yet.

        Its being refused is an end too: the row says why.
        """
        upload = await self.rows.get(upload_id)
        if upload is None or upload.state is not UploadState.CHECKING:
            return True
        try:
            async with held(self.rows, upload) as hold:
                await self.finish(hold)
        except Locked:
            return False
        except InvalidInput:
            return True
        return True

    async def finish(self, hold: Hold) -> File:
        """Make the upload that is held a file; raises what the validator finds wrong."""
        hold.busy = True
        try:
            return await self._finish(hold)
        finally:
            hold.busy = False

    async def give_up(self, upload_id: str, error: BaseException) -> None:
        """Reject an upload that could not be finished however often it was tried."""
        upload = await self.rows.get(upload_id)
        if upload is not None and upload.state is UploadState.CHECKING:
            reason = error if isinstance(error, MediamillError) else MediamillError(str(error))
            async with held(self.rows, upload) as hold:
                await self._reject(hold, reason)

    async def remove(self, upload: Upload) -> None:
        """Remove the bytes and the part rows of an upload that takes no more."""
        if upload.direct:
            await withdraw(self.blobs, upload)
        parts: list[UploadPart] = []
        async for part in self.rows.parts(upload.id):
            await self.blobs.delete(part.blob)
            parts.append(part)
        await self.rows.forget_parts(parts)

    # -- steps ----------------------------------------------------------------------------------

    async def _finish(self, hold: Hold) -> File:
        upload, file_id = hold.upload, new_id("file")
        try:
            file = await self._make(hold, file_id)
        except InvalidInput as error:
            await self._reject(hold, error)
            raise
        except MediamillError as error:
            if isinstance(error, ConditionFailed):
                await self.blobs.delete(f"files/{file_id}")
            if not await self._still_held(upload):
                raise Locked("Somebody else finishes this upload: ask in a moment.") from error
            raise
        await self._join(hold.upload, file)
        await self.remove(upload)
        return file

    async def _still_held(self, upload: Upload) -> bool:
        found = await self.rows.get(upload.id)
        return found is not None and found.fence == upload.fence

    async def _make(self, hold: Hold, file_id: str) -> File:
        upload = hold.upload
        digest = await self._assemble(upload, f"files/{file_id}")
        expires = await self.rows.store.now() + LIFE_MS
        ready = {"state": UploadState.READY, "file": file_id, "expires": expires, "charged": 0}
        file = await self.uploads.accept(
            Principal(user=upload.owner),
            file_id,
            upload.name,
            digest,
            Label(tags=upload.tags, sha256=upload.sha256),
            also=(self.rows.guarded(upload, **ready),),
            released=upload.charged,
        )
        hold.upload = upload.evolve(**ready)
        return file

    async def _assemble(self, upload: Upload, key: str) -> Digest:
        """Make the parts one object; what they hold was counted when they were recorded.

        A store that can put them together itself does, and the whole is then read once.
        """
        if isinstance(self.blobs, Composes):
            await self.blobs.compose(self._parts(upload), key)
            return await digest_of(self.blobs, key)
        async with self.blobs.upload(key) as whole:
            async for blob, size in self._parts(upload):
                async for chunk in self.blobs.read(blob, 0, size):
                    await whole.write(chunk)
            return await whole.commit()

    async def _parts(self, upload: Upload) -> AsyncIterator[tuple[str, int]]:
        """Visit blob and size of each part; raises `MediamillError` for a gap, or too few."""
        place = 0
        async for part in self.rows.parts(upload.id):
            if part.start != place:
                raise MediamillError(f"part {part.start} of {upload.id} is out of place")
            yield part.blob, part.size
            place += part.size
        if place != upload.offset:
            raise MediamillError(f"{upload.id} has {place}, not {upload.offset} bytes")

    async def _reject(self, hold: Hold, error: MediamillError) -> None:
        expires = await self.rows.store.now() + LIFE_MS
        told = {"code": error.code, "error": error.message[:1000]}
        await hold.write(unit=None, state=UploadState.REJECTED, expires=expires, charged=0, **told)
        await self.remove(hold.upload)
        context = hold.upload.log_context()
        log.info("upload rejected", action="upload_rejected", code=error.code, **context)

    async def _join(self, upload: Upload, file: File) -> None:
        """Put the file into its project, unless that went or was filled up meanwhile."""
        if not upload.project:
            return
        try:
            await self.projects.add(Principal(user=upload.owner), upload.project, [file.id])
        except NotFound:
            return
        except ProjectFull as error:
            told = {"code": error.code, "error": error.message}
            with suppress(ConditionFailed):  # it was deleted meanwhile
                await self.rows.write(upload, unit=None, **told)
