"""The database's time, the same for every machine that uses it.

Asked once in a while; in between the time that has passed here counts, so a machine whose clock is
wrong, or is set, tells the same time as all others.
"""

import time
from collections.abc import Awaitable, Callable

GOOD_FOR = 30.0
"""Seconds until the database is asked again."""

NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


class DatabaseClock:
    """Milliseconds since 1970 by the database; never earlier than it said before."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        """`ask` returns the database's time (ms)."""
        self._ask = ask
        self._asked: float | None = None
        self._offset = 0.0
        self._last = 0

    async def now(self) -> int:
        """Return the time; raises what asking raises when it was never heard."""
        if self._asked is None or time.monotonic() - self._asked > GOOD_FOR:
            await self._listen()
        self._last = max(self._last, int(time.monotonic() * 1000 + self._offset))
        return self._last

    async def _listen(self) -> None:
        begin = time.monotonic()
        told = await self._ask()
        end = time.monotonic()
        self._offset = told - (begin + end) / 2 * 1000
        self._asked = end
