"""Look at a stored blob in a slot: its type by content, its size in pixels, its duration."""

from pathlib import Path

from mediamill.blobs.port import Blobs
from mediamill.core.errors import MediamillError, by_code
from mediamill.engine.inputs import opened
from mediamill.engine.slots import Call, CallItem, Failed, SlotPool, Succeeded
from mediamill.media.probe import Facts
from mediamill.operations.base import Source


class Inspector:
    """Runs `media.probe` where hostile bytes can do no harm."""

    def __init__(self, slots: SlotPool, scratch: Path) -> None:
        self.slots, self.scratch = slots, scratch

    async def look(self, blobs: Blobs, blob: str, name: str, size: int) -> Facts:
        """Return what a blob is; raises what `media.probe.probe` raises, or `SlotFailure`."""
        async with (
            opened(blobs, blob, self.scratch) as descriptor,
            self.slots.acquire() as slot,
            slot.scratch() as scratch,
        ):
            item = CallItem(0, Source(descriptor, name, "", size))
            async for event in slot.run(Call((item,), scratch, kind="probe")):
                if isinstance(event, Succeeded):
                    return Facts(**(event.outcome.data or {}))
                if isinstance(event, Failed):
                    raise by_code(event.code)(event.message)
        raise MediamillError("The file could not be looked at.")
