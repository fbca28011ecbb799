"""A shift: units are run for as long as there are any and time is left, then everything rests.

What a call of a function does (docs/adr/0043-functions.md). It differs from a worker (`worker.py`)
in that it ends by itself: when nothing is due and nothing runs here that may bring more, or when
its time is up. Then what is done is written, what is not is given back, and nothing goes on.
"""

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from mediamill.core.errors import Unavailable
from mediamill.core.ids import new_id
from mediamill.engine.bounds import Bounds
from mediamill.engine.tending import Engine, Tending
from mediamill.engine.worker import MODELS, TRANSFERS, Crew
from mediamill.store.port import Lags
from mediamill.store.repositories.units import Unit

FUNCTION = ("interactive", "bulk", "model", "housekeeping", "transfer")
"""The classes that functions take which work; `long` is for workers, `notices` for the notifier."""


def crew(slots: int) -> Crew:
    """Compose the crew of a function: no class waits for another one's runners for ever."""
    orders = (("interactive", "bulk"), ("bulk", "interactive"))
    general = [orders[place % 2] for place in range(slots)]
    models, transfers = [("model",)] * MODELS, [("transfer",)] * TRANSFERS
    return Crew((*general, ("housekeeping",), *models, *transfers))


SOON_MS = 1_500
"""What is due within this time is waited for: whoever was rung for it may be a little early."""


@dataclass
class Shift:
    """Runs units within bounds."""

    engine: Engine
    crew: Crew
    bounds: Bounds
    ran: int = 0
    """Units that were claimed and seen to their end, whatever that was."""
    left: set[str] = field(default_factory=set)
    """Classes in which there may be work yet, though this shift takes none."""

    def __post_init__(self) -> None:
        self.tending = Tending(self.engine, self.bounds)
        self._name = f"{socket.gethostname()}-{os.getpid()}-{new_id('w')[-6:]}"
        self._busy, self._news, self._over = 0, 0, False
        self._changed = asyncio.Event()
        self._empty: dict[Sequence[str], tuple[int, float]] = {}
        """At which news, and when, a runner of these classes found nothing."""
        self._awaited: dict[Sequence[str], tuple[tuple[int, float] | None, bool]] = {}
        """Whether waiting was worth while when nothing was found then."""
        self._began = time.monotonic()
        self._lines = {runner: asyncio.Lock() for runner in self.crew.runners}
        self._error: Exception | None = None

    async def run(self) -> None:
        """Work until nothing is due or time is up; raises what claiming raised, at the end."""
        runners = [
            asyncio.create_task(self._runner(f"{self._name}/{place}", klasses))
            for place, klasses in enumerate(self.crew.runners)
        ]
        try:
            _, cut = await asyncio.wait(runners, timeout=max(0.0, self.bounds.left()))
            if cut:
                self.left |= self._perhaps_left()
        finally:
            self._over = True
            for task in runners:
                task.cancel()
            await asyncio.gather(*runners, return_exceptions=True)
        if self._error is not None:
            raise self._error

    async def _runner(self, holder: str, klasses: Sequence[str]) -> None:
        while not self._over:
            news = self._news
            unit = await self._claimed(holder, klasses)
            if unit is not None:
                await self._see(unit)
            elif self._busy or news != self._news or await self._soon(klasses):
                await self._wait(news)
            else:
                return

    def _perhaps_left(self) -> set[str]:
        """Return the classes of what is cut, and those that were not seen empty."""
        cut = {lease.unit.klass for lease in self.tending.running.values()}
        full = {klass for one in self.crew.runners if one not in self._empty for klass in one}
        return cut | full

    async def _see(self, unit: Unit) -> None:
        self.ran += 1
        try:
            if self.ran == 1:  # there may be more than is done here: others are to look too
                await self.engine.bell.ring(f"work:{unit.klass}")
            await self.tending.run(unit)
        finally:
            self._busy -= 1
            if self.bounds.spent:
                self._over = True
                self.left.add(unit.klass)
            self._tell()

    async def _claimed(self, holder: str, klasses: Sequence[str]) -> Unit | None:
        """Claim a unit; one runner looks for all of the same classes, none twice at no news."""
        async with self._lines[klasses]:
            now = time.monotonic()
            news, when = self._empty.get(klasses, (-1, 0.0))
            fresh = news == self._news and now - when < self.engine.timing.poll
            lease_ms = self.bounds.lease_ms()
            if fresh or self._over or lease_ms <= 0:
                return None
            self._empty[klasses] = self._news, now
            try:
                unit = await self.engine.scheduler.claim_next(klasses, holder, lease_ms)
            except Exception as error:
                self._error, self._over = error, True
                self._tell()
                return None
            if unit is not None:
                self._empty.pop(klasses, None)
                self._busy += 1
            return unit

    async def _soon(self, klasses: Sequence[str]) -> bool:
        """Tell whether waiting is worth while; runners of the same classes ask once."""
        async with self._lines[klasses]:
            seen, answer = self._awaited.get(klasses, (None, False))
            if seen != self._empty.get(klasses):
                answer = await self._worth_waiting(klasses)
                self._awaited[klasses] = self._empty.get(klasses), answer
            return answer

    async def _worth_waiting(self, klasses: Sequence[str]) -> bool:
        store = self.engine.units.store
        lags = isinstance(store, Lags) and bool(store.lag)
        if lags and not self.ran and time.monotonic() - self._began < SOON_MS / 1000:
            return True  # what was rung for may not be in the indexes yet
        try:
            return await self.engine.scheduler.soon(klasses, SOON_MS)
        except Unavailable:
            return False

    async def _wait(self, news: int) -> None:
        """Wait until a unit of another runner has ended, or for the next look."""
        changed = self._changed
        if news == self._news:
            try:
                async with asyncio.timeout(self.engine.timing.poll):
                    await changed.wait()
            except TimeoutError:
                return

    def _tell(self) -> None:
        self._news += 1
        self._changed.set()
        self._changed = asyncio.Event()


NOTIFIER = Crew((("notices",),) * 16)
"""The notifier's: what only waits, a few at a time, since others like it may run."""
