"""A document of an issuer, kept for a while: asked for again when old, never by many at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from mediamill.core.errors import MediamillError, Unavailable

T = TypeVar("T")

FRESH = 600.0
"""Seconds after which it is asked for again: what the issuer withdrew is gone by then."""
LONGEST = 3600.0
"""Seconds that it is gone by while the issuer does not answer."""
APART = 30.0
"""Least seconds between two questions, whoever wants them."""
APART_AT_FIRST = 2.0
"""The same while nothing is known yet."""

log = structlog.get_logger(__name__)


class Remembered(Generic[T]):
    """What `ask` gives; times are monotonic seconds."""

    def __init__(
        self, ask: Callable[[], Awaitable[T]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._clock = ask, clock
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._got = self._tried = float("-inf")
        self._trouble: MediamillError | None = None

    async def get(self) -> T:
        """Return the document; the old one while the issuer is away, then raises what is wrong.

        While it is asked for, those who come next go by the old one.
        """
        if self._age > FRESH and not (self._lock.locked() and self._age < LONGEST):
            await self.renew()
        if self._value is None or self._age > LONGEST:
            trouble = self._trouble or Unavailable("The issuer has not answered yet.")
            raise trouble.with_traceback(None)
        return self._value

    @property
    def _age(self) -> float:
        return self._clock() - self._got

    async def renew(self, *, at_once: bool = False) -> bool:
        """Ask again unless that was just done; tell whether the last answer was a good one."""
        wanted = self._clock()
        async with self._lock:
            apart = APART if self._value is not None else APART_AT_FIRST
            recent = self._clock() - self._tried < apart and not at_once
            if not recent and self._tried <= wanted:  # nobody did while this waited
                await self._renew()
        return self._trouble is None

    async def _renew(self) -> None:
        try:
            self._value = await self._ask()
        except MediamillError as error:
            self._trouble = error
            log.warning("issuer not understood", action="issuer_away", error=error.message)
        else:
            self._got, self._trouble = self._clock(), None
        finally:
            self._tried = self._clock()
