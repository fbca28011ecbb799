"""How much work there is, for who decides how many workers run; looked up now and then only."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from mediamill.engine.sweeping import CLASSES
from mediamill.store.repositories.backlog import Backlog, Backlogs

SECONDS = 5.0
"""How long a look holds, for all who ask."""
OLDEST_SECONDS = 60.0
"""How old the last one may be that is told while the next is under way."""


@dataclass
class Work:
    """Tells what is ready and what is running, by class."""

    backlogs: Backlogs
    _seen: Sequence[Backlog] = ()
    _time: float = 0.0

    async def of(self, klass: str) -> Backlog:
        """Return the backlog of a class as it is now."""
        return await self.backlogs.of(klass)

    async def look(self) -> Sequence[Backlog]:
        """Return the backlog of every class, which may be some seconds old."""
        if not self._seen or monotonic() - self._time >= SECONDS:
            begun = monotonic()
            self._seen = await asyncio.gather(*(self.backlogs.of(klass) for klass in CLASSES))
            self._time = begun
        return self._seen

    def seen(self) -> Sequence[Backlog]:
        """Return what was found by the last look, for who cannot wait; nothing if it is old.

        Where many wait a look takes long, and just then somebody has to know.
        """
        return self._seen if monotonic() - self._time < OLDEST_SECONDS else ()
