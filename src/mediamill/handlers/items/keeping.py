"""Keep what items made, some items at a time: durable together, they cost a fraction.

Quick items wait for their neighbours; what took long is kept at once, with all that waits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from mediamill.handlers.items.settling import Done

MOST, MOST_FILES = 24, 96
QUICK_SECONDS = 0.5
LATEST_SECONDS = 0.5
"""Their rows wait for as long (`engine/flush.py`), and nobody sees them before."""


class Keeping:
    """Collects what items made; `keep` settles some of them at a stroke."""

    def __init__(
        self,
        keep: Callable[[Sequence[Done]], Awaitable[None]],
        quick_seconds: float = QUICK_SECONDS,
    ) -> None:
        """What took longer than so many seconds is kept at once."""
        self._keep, self._quick = keep, quick_seconds
        self._waiting: list[Done] = []
        self._lock = asyncio.Lock()
        self._error: Exception | None = None

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """Let nothing wait for long while the block runs; what waits at its end is dropped."""
        ticker = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            async with self._lock:  # it is in the middle of nothing then
                ticker.cancel()

    async def add(self, done: Done) -> None:
        """Take what an item made; raises what keeping it, or others before it, raised."""
        self._waiting.append(done)
        files = sum(len(one.outcome.files) for one in self._waiting)
        if done.seconds > self._quick or len(self._waiting) >= MOST or files >= MOST_FILES:
            await self.settle()

    async def settle(self) -> None:
        """Keep what waits now."""
        async with self._lock:
            if self._error is not None:
                raise self._error
            some, self._waiting = self._waiting, []
            if some:
                await self._keep(some)

    async def _tick(self) -> None:
        while self._error is None:
            await asyncio.sleep(LATEST_SECONDS)
            try:
                await self.settle()
            except Exception as error:  # whoever adds more, or ends, is told
                self._error = error
