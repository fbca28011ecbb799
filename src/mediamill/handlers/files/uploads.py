"""`finish_upload`, `expire_upload`: what becomes of resumable uploads while nobody waits."""

from dataclasses import dataclass
from typing import Protocol

import structlog

from mediamill.core.clock import SECOND
from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.store.port import Delete
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadRows, UploadState

log = structlog.get_logger(__name__)

LOOK_AGAIN_MS = 5 * SECOND
LATER_MS = 30 * SECOND


class Finisher(Protocol):
    """What knows how an upload becomes a file (`services/uploads/assembling.py`)."""

    async def resume(self, upload_id: str) -> bool:
        """Finish a complete upload; False when it is in other hands."""

    async def give_up(self, upload_id: str, error: BaseException) -> None:
        """Reject one that cannot be finished."""

    async def remove(self, upload: Upload) -> None:
        """Remove the bytes and the part rows of an upload."""


@dataclass
class FinishUpload:
    """Makes a complete upload a file, when it is large or the server that did so has died."""

    finisher: Finisher

    async def run(self, lease: Lease) -> None:
        if await self.finisher.resume(lease.unit.payload["upload"]):
            await lease.finish()
        else:
            await lease.release(LOOK_AGAIN_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Reject the upload, so that its sender learns why."""
        await self.finisher.give_up(lease.unit.payload["upload"], error)
        await lease.finish(error=str(error)[:500])


@dataclass
class ExpireUpload:
    """Removes an upload, its parts and its rows, once it has expired or was deleted."""

    rows: UploadRows
    finisher: Finisher

    async def run(self, lease: Lease) -> None:
        upload = await self.rows.get(lease.unit.payload["upload"])
        if upload is None:
            await lease.vanish()
            return
        left = upload.expires - await self.rows.store.now()
        if left > 0 and not upload.hidden:
            await lease.release(left)
            return
        if upload.state is UploadState.CHECKING:
            await lease.release(LATER_MS)
            return
        await self._remove(lease, upload)

    async def _remove(self, lease: Lease, upload: Upload) -> None:
        """Take it out of everybody's hands, then bytes, then rows."""
        try:
            ended = await self.rows.end(upload)
        except ConditionFailed:  # a byte came at the last moment
            await lease.release(SECOND)
            return
        await self.finisher.remove(ended)
        finishing = Delete(Unit, (f"upload:{upload.id}", 1))
        await lease.vanish(Delete(Upload, (upload.id,)), finishing)
        log.info("upload removed", action="upload_removed", **upload.log_context())

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LATER_MS, str(error))
