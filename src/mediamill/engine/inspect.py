"""Look at a stored blob in a slot: its type by content, its size in pixels, its duration."""

from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import BrokenMedia, MediamillError, SlotFailure
from mediamill.engine.inputs import opened
from mediamill.engine.slots import SlotPool
from mediamill.media.facts import Facts

log = structlog.get_logger(__name__)


class Inspector:
    """Runs `media.probe` where hostile bytes can do no harm."""

    def __init__(self, slots: SlotPool, scratch: Path) -> None:
        self.slots, self.scratch = slots, scratch

    async def look(self, blobs: Blobs, blob: str, name: str, size: int) -> Facts:
        """Return what a blob is; raises what `media.probe.probe` raises.

        A file that ends its slot twice is `BrokenMedia`; once may be the slot's own end.
        """
        try:
            return await self._look(blobs, blob, name, size)
        except SlotFailure as failure:
            log.warning("a look ended its slot", action="probe_crashed", exc_info=failure)
        try:
            return await self._look(blobs, blob, name, size)
        except SlotFailure as failure:
            raise BrokenMedia(f"{name} cannot be opened: {failure.message}") from failure

    async def _look(self, blobs: Blobs, blob: str, name: str, size: int) -> Facts:
        async with opened(blobs, blob, self.scratch) as descriptor, self.slots.acquire() as slot:
            try:
                return await slot.probe(descriptor, name, size)
            except MediamillError as error:
                if error.code != MediamillError.code:
                    raise
                log.error("a look failed", action="probe_failed", **error.details)
                raise MediamillError("The file could not be looked at; the log has it.") from None
