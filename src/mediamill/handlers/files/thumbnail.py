"""`thumbnail`: draw a file's small picture in the background."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, SlotFailure, TimedOut
from mediamill.engine.inputs import call_item, opened
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.slots import Call, Failed, SlotPool, Succeeded
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.files import File, Files

log = structlog.get_logger(__name__)


@dataclass
class Thumbnail:
    """Runs the `thumbnail` operation; a file that has no picture in it gets an empty mark."""

    files: Files
    blobs: Blobs
    slots: SlotPool
    scratch: Path

    async def run(self, lease: Lease) -> None:
        file = await self.files.get(lease.unit.payload["file"])
        if file is None or file.counted:
            await lease.finish()
            return
        try:
            blob = await self.draw(file)
        except SlotFailure as failure:
            if not lease.unit.attempts and not isinstance(failure, TimedOut):
                raise
            blob = ""  # it ended its slot twice, or took for ever
        await self._record(lease, file, blob)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Mark the file as one without a thumbnail."""
        file = await self.files.get(lease.unit.payload["file"])
        if file is None:
            await lease.finish()
        else:
            await self._record(lease, file, "")

    async def _record(self, lease: Lease, file: File, blob: str) -> None:
        going = Equals("counted", None)
        change = Update(File, (file.id,), set={"thumbnail": blob}, when=(going,))
        try:
            await lease.finish(change)
        except (ConditionFailed, LeaseLost):
            current = await self.files.get(file.id)
            if blob and (current is None or current.counted):  # it was purged meanwhile
                await self.blobs.delete(blob)
            raise

    async def draw(self, file: File) -> str:
        """Return the blob of the thumbnail, empty when none can be made."""
        async with (
            self.slots.acquire() as slot,
            opened(self.blobs, file.blob, self.scratch) as descriptor,
        ):
            item = call_item(0, file, descriptor)
            async for event in slot.run(Call((("thumbnail", {}),), (item,))):
                if isinstance(event, Succeeded) and event.outcome.files:
                    blob = f"thumbnails/{file.id}"
                    await self.blobs.adopt(blob, event.outcome.files[0].path)
                    return blob
                if isinstance(event, Failed):
                    log.info(
                        "no thumbnail",
                        action="thumbnail_failed",
                        code=event.code,
                        reason=event.message,
                        **file.log_context(),
                    )
        return ""
