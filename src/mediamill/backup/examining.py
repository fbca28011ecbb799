"""Read a part of a folder of backups after each one, so that what its disk lost is found in time.

All of it is read in a week, as long as backups are made and there is time for it before the next
one; where there is none it goes on from where it ended. Nothing is removed: the next backup writes
anew what was broken, if the installation still has it. A bucket's own service checks what it keeps.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from mediamill.backup.vault import Vault
from mediamill.blobs.port import OnDisk
from mediamill.core.clock import DAY

PERIOD = 7 * DAY
"""In how many milliseconds all of it is read."""
PARTS = 1 << 16
"""What the first four digits of a SHA-256 tell apart."""
FOLDER = 1 << 8
"""How many of these lie in one folder."""
BATCH = 64
BROKEN, UNREAD = 1000, 16
"""After how many of either it ends: the next one goes on."""


@dataclass
class Looked:
    """What was read back, up to where, and what was not as it should be."""

    part: int = 0
    """The first four digits of what comes next."""
    until: int = 0
    """Up to when what was due is read (ms)."""
    broken: list[str] = field(default_factory=list)
    """SHA-256 of what is missing, or not as it was."""
    unread: list[str] = field(default_factory=list)
    """SHA-256 of what could not be read now, as where a disk has a bad sector."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "Looked":
        """Read what a unit has noted; nothing where it never did."""
        return msgspec.convert(payload.get("looked", {}), cls)

    def noted(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload with this in it."""
        return {**payload, "looked": asdict(self)}


def due(milliseconds: int) -> int:
    """Return how many parts are due after a time."""
    return max(1, min(PARTS, math.ceil(milliseconds * PARTS / PERIOD)))


async def examine(vault: Vault, before: Looked, now: int, every: int, seconds: float) -> Looked:
    """Read back what came due since the look before, `every` milliseconds if there was none.

    It ends after some `seconds` too. Raises `Unavailable` where not even names can be listed.
    """
    if not isinstance(vault.blobs, OnDisk):
        return Looked(until=now)
    ends, begun = time.monotonic() + seconds, before.until or now - every
    look = Looked(before.part, now)
    last = look.part + due(now - begun)
    while look.part < last:
        end = min(last, (look.part // FOLDER + 1) * FOLDER)
        await _read(vault, range(look.part % PARTS, (end - 1) % PARTS + 1), look)
        look.part = end
        late = time.monotonic() > ends
        if late or len(look.broken) >= BROKEN or len(look.unread) >= UNREAD:
            look.until = now - (last - end) * PERIOD // PARTS
            break
    look.part %= PARTS
    return look


async def _read(vault: Vault, parts: range, look: Looked) -> None:
    """Read what lies in parts of one folder."""
    listed = [one async for one, _ in vault.sizes(f"{parts.start // FOLDER:02x}/")]
    some = [sha256 for sha256 in listed if int(sha256[:4], 16) in parts]
    for start in range(0, len(some), BATCH):
        look.broken += await vault.broken(some[start : start + BATCH], look.unread)
