"""Take files in while their sender waits.

A file is acknowledged when its bytes are durable, its content has been looked at in a slot, and
its row is committed, in this order; what is refused leaves nothing behind. A file that comes in the
background goes the same way, with its row in sight from the start (`arriving.py`).
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import structlog

from mediamill.blobs.port import Digest
from mediamill.core.access import Principal
from mediamill.core.errors import QuotaExceeded
from mediamill.core.ids import new_id
from mediamill.services.repeats.attempts import made_before, require_same
from mediamill.services.uploads.recording import UPLOADED, FileRows, Label, drawing, known
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
        if (made := await made_before(self.rows.store, principal, File, "file")) is not None:
            await require_same(made, chunks)
            return made
        await self.validator.require_room(principal.user, size)
        file_id = new_id("file")
        digest = await self.validator.store(principal.user, f"files/{file_id}", chunks, size)
        return await self.accept(principal, file_id, name, digest, label)

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
