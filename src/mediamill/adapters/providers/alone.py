"""Gate and ledger of one process, in memory: for tests, and for calls without a service.

chain = Fallback(providers, gate=Alone({"bedrock:…": Limits(concurrency=4)}), ledger=Notes())
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mediamill.adapters.providers.faults import away
from mediamill.adapters.providers.hooks import Outcome, counts_against
from mediamill.adapters.providers.port import Answer, Deadline, Provider, Question
from mediamill.core.errors import MediamillError, RateLimited

Monotonic = Callable[[], float]
"""Tells seconds that never go back."""


@dataclass(frozen=True)
class Limits:
    """What a provider bears."""

    concurrency: int = 16
    per_minute: int | None = None
    failures: int = 5
    """So many in a row, and it is left alone."""
    pause: float = 30.0
    """For so many seconds; then one call tries it."""


class Breaker:
    """A circuit breaker: closed, open after failures in a row, half-open for one trial."""

    def __init__(self, failures: int, pause: float, now: Monotonic = time.monotonic) -> None:
        self._most, self._pause, self._now = failures, pause, now
        self._failed, self._until, self._trying = 0, 0.0, False

    @property
    def wait(self) -> float:
        """Seconds until a call may begin; 0 where one may."""
        if self._failed < self._most:
            return 0.0
        return self._pause if self._trying else max(0.0, self._until - self._now())

    def begin(self) -> bool:
        """Let a call begin, and tell whether it is the trial."""
        trial = self._failed >= self._most
        self._trying = self._trying or trial
        return trial

    def end(self, *, failed: bool | None, trial: bool) -> None:
        """Count how a call ended; None for nobody knows."""
        if trial:
            self._trying = False
        if failed:
            self._failed += 1
            self._until = self._now() + self._pause
        elif failed is not None:
            self._failed = 0


class Bucket:
    """A token bucket: so many a minute, of which a sixth may come at once."""

    def __init__(self, per_minute: int, now: Monotonic = time.monotonic) -> None:
        self._rate, self._size, self._now = per_minute / 60, max(1.0, per_minute / 6), now
        self._level, self._at = self._size, now()

    def take(self) -> float:
        """Take one and return for how many seconds to wait before using it."""
        now = self._now()
        self._level = min(self._size, self._level + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._level / self._rate)

    def put_back(self) -> None:
        """Return one that is not used."""
        self._level += 1


class Told:
    """A permit, and what it was told."""

    def __init__(self) -> None:
        self.error: MediamillError | None = None
        self.known = False

    def tell(self, error: MediamillError | None) -> None:
        self.error, self.known = error, True


@dataclass
class Held:
    """What is kept of one provider."""

    breaker: Breaker
    places: asyncio.Semaphore
    bucket: Bucket | None
    rests_until: float = 0.0
    """It said that it is asked too often."""


class Alone:
    """A gate for the calls of one process; providers that are not named have `Limits()`."""

    def __init__(
        self, limits: Mapping[str, Limits] | None = None, now: Monotonic = time.monotonic
    ) -> None:
        self._limits, self._now = dict(limits or {}), now
        self._held: dict[str, Held] = {}

    @asynccontextmanager
    async def enter(self, provider: str, deadline: Deadline) -> AsyncIterator[Told]:
        """Wait for a place, and until the provider's rate allows a call."""
        held = self._of(provider)
        await self._place(provider, held, deadline)
        told = Told()
        try:
            if wait := held.breaker.wait:
                raise away(provider, f"keeps failing and is left alone for {wait:.0f} s")
            trial = held.breaker.begin()
            try:
                await self._turn(provider, held, deadline)
                yield told
            finally:
                failed = counts_against(told.error) if told.known else None
                held.breaker.end(failed=failed, trial=trial)
        finally:
            held.places.release()
            self._rest(held, told.error)

    def _rest(self, held: Held, error: MediamillError | None) -> None:
        if isinstance(error, RateLimited):
            after = float(error.details.get("retry_after", 0))
            held.rests_until = max(held.rests_until, self._now() + after)

    def _of(self, provider: str) -> Held:
        if provider not in self._held:
            limits = self._limits.get(provider, Limits())
            self._held[provider] = Held(
                Breaker(limits.failures, limits.pause, self._now),
                asyncio.Semaphore(limits.concurrency),
                Bucket(limits.per_minute, self._now) if limits.per_minute else None,
            )
        return self._held[provider]

    async def _place(self, provider: str, held: Held, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(deadline.left):
                await held.places.acquire()
        except TimeoutError:
            raise away(provider, "had no place for another call in time", slow=True) from None

    async def _turn(self, provider: str, held: Held, deadline: Deadline) -> None:
        wait = max(held.bucket.take() if held.bucket else 0.0, held.rests_until - self._now())
        if wait > 0 and wait >= deadline.left:
            if held.bucket:
                held.bucket.put_back()
            raise away(provider, f"may not be asked for {wait:.0f} s: it has its rate", slow=True)
        if wait > 0:
            await asyncio.sleep(wait)


@dataclass
class Note:
    """An attempt as it went; a provider that was skipped has `skipped` only."""

    provider: str
    skipped: str = ""
    outcome: Outcome | None = None
    """None while it is under way."""
    answer: Answer | None = None
    error: MediamillError | None = None

    async def answered(self, answer: Answer) -> None:
        self.answer = answer

    async def ended(self, outcome: Outcome, error: MediamillError | None) -> None:
        self.outcome, self.error = outcome, error


@dataclass
class Notes:
    """A ledger that only remembers; it forbids nothing."""

    attempts: list[Note] = field(default_factory=list)

    async def recall(self, provider: Provider, question: Question) -> Answer | None:
        return None

    async def begin(self, provider: Provider, question: Question) -> Note:
        self.attempts.append(Note(provider.name))
        return self.attempts[-1]

    async def skipped(self, provider: str, why: str) -> None:
        self.attempts.append(Note(provider, skipped=why))
