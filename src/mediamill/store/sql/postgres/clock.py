"""The database's time, the same for every machine that uses it.

Asked once in a while; in between the time that has passed here counts, with what the machine
sleeps, so a machine whose clock is wrong, or is set, tells the same time as all others. It is never
ahead of the database's: how long the answer was under way is not added.
"""

import time
from collections.abc import Awaitable, Callable

GOOD_FOR = 30_000
"""Milliseconds until the database is asked again."""
CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
NOW = f"SELECT {CLOCK}"


class DatabaseClock:
    """Milliseconds since 1970 by the database; never earlier than it said before."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        """`ask` returns the database's time (ms)."""
        self._ask = ask
        self._asked: int | None = None
        self._offset = self._last = 0

    async def now(self) -> int:
        """Return the time; raises what asking raises."""
        if self._asked is None or _passed() - self._asked > GOOD_FOR:
            told = await self._ask()
            self._asked = _passed()
            self._offset = told - self._asked
        self._last = max(self._last, _passed() + self._offset)
        return self._last


def _passed() -> int:
    """Return the milliseconds since the machine started, with those that it slept."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(which) // 1_000_000
