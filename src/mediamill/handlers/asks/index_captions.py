"""`index_captions`: have an owner's new captions be found by their words.

One unit an owner, put in when a unit that captioned something ends. What it misses, for it ended
at that moment, is found by the next, or by the owner's next search.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mediamill.captions.searching import words_of
from mediamill.core.errors import MediamillError
from mediamill.engine.lease import Lease
from mediamill.store.repositories.captions import Caption, Captions
from mediamill.store.repositories.units import Unit

KIND = "index_captions"
AT_ONCE = 100
WAIT_MS = 5_000
"""Models are asked first; who searches sooner brings in what is theirs."""
LOOK_AGAIN_MS = 30_000


@dataclass
class IndexCaptions:
    """Brings words into the index."""

    captions: Captions

    async def run(self, lease: Lease) -> None:
        while rows := await self.captions.fresh(lease.unit.owner, AT_ONCE):
            await self.captions.index(worded(rows))
        await lease.vanish()

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later."""
        await lease.release(LOOK_AGAIN_MS, str(error))


def worded(rows: Sequence[Caption]) -> list[tuple[Caption, Sequence[str]]]:
    """Return rows, each with the words under which it is found as it is now."""
    return [(row, words_of(row.name, row.captions, row.labels)) for row in rows]


async def wanted(lease: Lease, owner: str) -> None:
    """See to it that the captions of a unit that has ended are brought into the index."""
    now = await lease.units.store.now()
    unit = Unit.chore(KIND, f"captions:{owner}", 0, owner, cost=0.2, now=now, due=now + WAIT_MS)
    with suppress(MediamillError):  # it is there already, or the next search does it
        await lease.units.insert([unit])
