"""Read a part of the place back after each backup, so that what its disk lost is found in time.

The parts are told by the time: whoever makes backups without a pause has read all of it in a week.
"""

from collections.abc import Iterator

from mediamill.backup.reading import BATCH, drop_broken
from mediamill.backup.vault import Vault
from mediamill.core.clock import DAY, MINUTE

PERIOD = 7 * DAY
"""In how many milliseconds all of it is read."""
PARTS = 1 << 16
"""What the first four digits of a SHA-256 tell apart."""
FOLDER = 1 << 8
"""How many of these lie in one folder."""


def turns(begun: int, every: int) -> Iterator[range]:
    """Yield the parts, by the first four digits, that are read between a time and the next (ms).

    A minute more, since the next one does not begin at the stroke.
    """
    length = every + MINUTE
    if length >= PERIOD:
        yield range(PARTS)
        return
    first, last = _part(begun), _part(begun + length)
    if first <= last:
        yield range(first, last + 1)
    else:
        yield range(first, PARTS)
        yield range(last + 1)


def _part(time: int) -> int:
    return time % PERIOD * PARTS // PERIOD


async def examine(vault: Vault, begun: int, every: int) -> list[str]:
    """Read back what is due; return what was broken, which is removed.

    So the next backup writes it anew where the installation still has it. Raises `Locked` while
    another writes there, `Unavailable`.
    """
    broken = list[str]()
    for parts in turns(begun, every):
        for folder in range(parts.start // FOLDER, (parts.stop - 1) // FOLDER + 1):
            listed = [one async for one, _ in vault.sizes(f"{folder:02x}/")]
            due = [sha256 for sha256 in listed if int(sha256[:4], 16) in parts]
            for start in range(0, len(due), BATCH):
                broken += await vault.broken(due[start : start + BATCH])
    return await drop_broken(vault, broken, []) if broken else []
