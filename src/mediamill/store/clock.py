"""The store's time without a wait: heard now and then, reckoned in between.

All servers of an installation tell it alike, whatever the clocks of their machines say.
"""

import asyncio
import time
from contextlib import suppress

from mediamill.core.errors import MediamillError
from mediamill.store.port import Store

HEARD_EVERY = 60.0
"""Seconds between two hearings."""


class StoreClock:
    """Milliseconds since 1970 by the store; a `Clock`."""

    def __init__(self, told: int) -> None:
        """`told` is what the store says now."""
        self._hear(told)

    def now(self) -> int:
        """Return the time."""
        return _passed() + self._offset

    async def follow(self, store: Store) -> None:
        """Hear the store again and again, until cancelled."""
        while True:
            await asyncio.sleep(HEARD_EVERY)
            with suppress(MediamillError):
                await self.hear(store)

    async def hear(self, store: Store) -> None:
        """Hear what the store says now."""
        self._hear(await store.now())

    def _hear(self, told: int) -> None:
        self._offset = told - _passed()


def _passed() -> int:
    """Return the milliseconds since the machine was started, its sleep included."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(which) // 1_000_000
