"""How much work there is, for who decides how many workers run; looked up now and then only."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from mediamill.engine.sweeping import CLASSES
from mediamill.store.repositories.backlog import Backlog, Backlogs

SECONDS = 5.0
"""How long a look holds, for all who ask."""


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
            self._seen = [await self.backlogs.of(klass) for klass in CLASSES]
            self._time = monotonic()
        return self._seen
