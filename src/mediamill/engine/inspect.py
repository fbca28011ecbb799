"""Look at a stored blob in a slot: its type by content, its size in pixels, its duration."""

from pathlib import Path

from mediamill.blobs.port import Blobs
from mediamill.engine.inputs import opened
from mediamill.engine.slots import SlotPool
from mediamill.media.probe import Facts


class Inspector:
    """Runs `media.probe` where hostile bytes can do no harm."""

    def __init__(self, slots: SlotPool, scratch: Path) -> None:
        self.slots, self.scratch = slots, scratch

    async def look(self, blobs: Blobs, blob: str, name: str, size: int) -> Facts:
        """Return what a blob is; raises what `media.probe.probe` raises, or `SlotFailure`."""
        async with opened(blobs, blob, self.scratch) as descriptor, self.slots.acquire() as slot:
            return await slot.probe(descriptor, name, size)
