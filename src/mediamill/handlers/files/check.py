"""`check`: look at what a sender put into the bucket itself, before it becomes a file.

A request that was signed for `incoming/{upload}` may be sent again until it expires. So the bytes
are copied first, within the store, to a name with the fence of the claim, which no request reaches
and no other claim writes; that copy is read back, compared with what was announced, and goes
through the validator of every other way in.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from mediamill.blobs.digests import digest_of
from mediamill.blobs.port import Blobs
from mediamill.core.errors import InvalidInput, MediamillError, NotFound
from mediamill.engine.lease import Lease
from mediamill.handlers.files.fetch import Intake
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.uploads import arriving


class Settling(Protocol):
    """What ends the upload (`services/uploads/settling.py`)."""

    async def settle(self, upload_id: str, file: File | None) -> None:
        """Note what became of its file, and remove what had arrived."""


@dataclass
class Check:
    """Makes a complete direct upload a file, or rejects it."""

    files: Files
    blobs: Blobs
    intake: Intake
    settling: Settling

    async def run(self, lease: Lease) -> None:
        file = await self.files.get(lease.unit.payload["file"])
        if file is not None and file.passing:
            file = await self._ended(_copied(lease, file), self._check(lease, file))
        await self._leave(lease, file)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Reject the file with the reason."""
        if not isinstance(error, MediamillError):
            error = MediamillError("The file could not be checked; the service’s log says why.")
        file = await self.files.get(lease.unit.payload["file"])
        if file is not None and file.passing:
            copy = _copied(lease, file)
            file = await self._ended(copy, self.intake.reject(copy, error))
        await self._leave(lease, file)

    async def _check(self, lease: Lease, file: File) -> File:
        copy, payload = _copied(lease, file), lease.unit.payload
        try:
            await self.blobs.copy(arriving(payload["upload"]), copy.blob)
        except NotFound:
            gone = InvalidInput("The bytes are not in the bucket any more: send the file again.")
            return await self.intake.reject(copy, gone)
        size = (await self.blobs.info(copy.blob)).size
        if size != file.size:
            other = f"{size:,} bytes arrived, and not the announced {file.size:,}."
            return await self.intake.reject(copy, InvalidInput(other))
        digest = await digest_of(self.blobs, copy.blob)
        return await self.intake.finish(copy, digest, payload["sha256"])

    async def _ended(self, copy: File, ending: Awaitable[File]) -> File | None:
        """Return the file as it is then, though another claim ended it; None when deleted."""
        try:
            return await ending
        except NotFound:
            return await self.files.get(copy.id)

    async def _leave(self, lease: Lease, file: File | None) -> None:
        await self.settling.settle(lease.unit.payload["upload"], file)
        await lease.finish()


def _copied(lease: Lease, file: File) -> File:
    """Return the file with its bytes where no other claim writes."""
    return file.evolve(blob=f"files/{file.id}/{lease.unit.fence}")
