"""Whoever ends workers that are too many is told while this one has units in hand.

A unit whose worker is ended is done elsewhere, from its last flush on; this spares doing it twice.
What is told is never waited for: a unit begins at once, and a worker works where nobody listens.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from mediamill.adapters.protection.port import Protection
from mediamill.core.errors import MediamillError
from mediamill.core.metrics import SCALE_IN
from mediamill.core.numbers import Numbers

PROTECTED_SECONDS = 600
"""For how long it is asked at a time: so long is a worker left alone that hangs."""
LINGER_SECONDS = 15.0
"""How long a worker without work is still protected: work comes and goes, requests are limited."""
RETRY_SECONDS = 15.0
"""How soon it is asked again after it was refused."""
LEAVING_SECONDS = 2.0
"""How long a worker that ends waits for it to be heard."""

log = structlog.get_logger(__name__)


class Shelter:
    """Tells a `Protection` whether a worker is busy."""

    def __init__(
        self,
        protection: Protection,
        numbers: Numbers,
        seconds: int = PROTECTED_SECONDS,
        linger: float = LINGER_SECONDS,
        retry: float = RETRY_SECONDS,
    ) -> None:
        """`seconds` is for how long it is asked at a time; it is renewed when half are left."""
        self.protection, self.numbers = protection, numbers
        self._seconds, self._linger, self._retry = seconds, linger, retry
        self._protected = self._failing = False
        self._renewed = self._again = 0.0
        """When (monotonic seconds) it is to be renewed, and asked again after a refusal."""

    async def run(self, busy: Callable[[], bool], stirred: asyncio.Event) -> None:
        """Tell it until cancelled; `stirred` is set when `busy` may say something else."""
        if not self.protection.asked:
            return
        idle_since = 0.0
        while True:
            stirred.clear()
            now, works = time.monotonic(), busy()
            idle_since = 0.0 if works else idle_since or now
            due = max(self._renewed if works else idle_since + self._linger, self._again)
            if not works and not self._protected:
                await stirred.wait()
            elif now < due:
                await _wait(stirred, due - now)
            else:
                await self._tell(wanted=works)

    async def leave(self) -> None:
        """Say that the worker may be ended, where it was said that it may not."""
        if self._protected:
            with suppress(TimeoutError):  # it passes by itself
                async with asyncio.timeout(LEAVING_SECONDS):
                    await self._tell(wanted=False)

    async def _tell(self, *, wanted: bool) -> None:
        try:
            if wanted:
                await self.protection.protect(self._seconds)
            else:
                await self.protection.release()
        except MediamillError as error:
            self.numbers.count(SCALE_IN, "failed")
            self._again = time.monotonic() + self._retry
            if not self._failing:
                log.warning(
                    "a worker with work may be ended",
                    action="protection_failed",
                    error=error.message,
                )
            self._failing = True
            return
        self.numbers.count(SCALE_IN, "protected" if wanted else "released")
        self._protected, self._failing = wanted, False
        self._renewed = time.monotonic() + self._seconds / 2 if wanted else 0.0


async def _wait(stirred: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stirred.wait()
