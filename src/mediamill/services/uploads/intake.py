"""Take files in while their sender waits.

A file is acknowledged when its bytes are durable, its content has been looked at in a slot, and
its row is committed, in this order; what is refused leaves nothing behind. A file that comes in the
background goes the same way, with its row in sight from the start (`arriving.py`).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.blobs.port import Digest
from mediamill.core.access import Principal
from mediamill.core.errors import ConditionFailed, QuotaExceeded
from mediamill.core.ids import new_id
from mediamill.services.repeats.attempts import made_before, require_same
from mediamill.services.uploads.recording import UPLOADED, FileRows, Label, drawing, known
from mediamill.services.uploads.twins import twin_or_note
from mediamill.services.uploads.validating import Validator
from mediamill.store.port import Action
from mediamill.store.repositories.files import File

log = structlog.get_logger(__name__)


@dataclass
class Uploads:
    """Receives bytes and makes them a file."""

    rows: FileRows
    validator: Validator

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
        wrong, `QuotaExceeded` and `StorageFull`.
        """
        if made := await self._made(principal, chunks):
            return made
        file_id, digest = await self._stored(principal, chunks, size)
        return await self.accept(principal, file_id, name, digest, label)

    async def receive_once(
        self,
        principal: Principal,
        name: str,
        chunks: AsyncIterator[bytes],
        size: int | None,
        label: Label,
    ) -> tuple[File, bool]:
        """Do as `receive` does, unless another request has just made a file of the label's digest.

        Returns the file, and whether it is the other's. Raises what `receive` does.
        """
        if made := await self._made(principal, chunks):
            return made, False
        file_id, digest = await self._stored(principal, chunks, size)
        announced = label.sha256 or digest.sha256
        while True:
            owner = principal.user
            twin, note = await twin_or_note(self.rows.store, owner, announced, file_id)
            if twin is not None:
                await self.validator.blobs.delete(f"files/{file_id}")
                return twin, True
            with suppress(ConditionFailed):  # another was faster
                return await self.accept(principal, file_id, name, digest, label, (note,)), False

    async def _made(self, principal: Principal, chunks: AsyncIterator[bytes]) -> File | None:
        """Return what an earlier attempt of this request made, if the bytes are the same."""
        made = await made_before(self.rows.store, principal, File, "file")
        if made is not None:
            await require_same(made, chunks)
        return made

    async def _stored(
        self, principal: Principal, chunks: AsyncIterator[bytes], size: int | None
    ) -> tuple[str, Digest]:
        """Write a stream as the bytes of a new file; return its id and what they are."""
        await self.validator.require_room(principal.user, size)
        file_id = new_id("file")
        digest = await self.validator.store(principal.user, f"files/{file_id}", chunks, size)
        return file_id, digest

    async def accept(
        self,
        principal: Principal,
        file_id: str,
        name: str,
        digest: Digest,
        label: Label = UPLOADED,
        also: Sequence[Action] = (),
        released: int = 0,
    ) -> File:
        """Make the blob `files/{file_id}` a new file of the caller; refused, it is removed.

        `also` is written in the same transaction, and `released` is how many bytes that the caller
        was charged for end with it. Raises what `receive` does, and `ConditionFailed` for a guard
        in `also`: the blob is then left to the caller.
        """
        blob, blobs = f"files/{file_id}", self.validator.blobs
        try:
            facts = await self.validator.look(blob, name, digest, label.sha256)
        except BaseException:
            await blobs.delete(blob)
            raise
        begun = await self.rows.begun(principal, name, digest.size, label, file_id)
        file = begun.evolve(**known(begun, digest, facts))
        try:
            await self.rows.insert(file, drawing(file), also, released)
        except QuotaExceeded:
            await blobs.delete(blob)
            raise  # any other failure may have been a success: the collector will know
        log.info("file received", action="file_received", size=file.size, **file.log_context())
        return file
