"""When to try a unit again: a decision, made in one place."""

import math
import random
from dataclasses import dataclass

from mediamill.core.errors import ConditionFailed, MediamillError, NotFound, Restoring, StorageFull

LATE_ATTEMPTS = 7
"""How often bytes are looked for that a row names, and that are not to be seen: for a minute."""


@dataclass(frozen=True)
class Retry:
    """Try again after so many milliseconds."""

    delay_ms: int
    counted: bool = True
    """Whether it is one of the attempts that a unit has."""


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with full jitter, for errors of the surroundings, not of an item."""

    base_ms: int = 500
    cap_ms: int = 60_000
    attempts: int = 12
    full_ms: int = 10_000
    """How long to wait for room."""
    delays_ms: tuple[int, ...] = ()
    """The waits after each failure, instead of back-off; one attempt more than these is made."""
    lasting_ms: int | None = None
    """A unit that is so old is tried no more; `attempts` is then no limit."""

    def decide(self, error: BaseException, attempts: int, age_ms: int = 0) -> Retry | None:
        """Decide after `attempts` earlier failures of a unit of some age; None means give up.

        A `MediamillError` that is not retryable is final at once; anything else may be a passing
        fault, so it is tried again. A full disk is waited for as long as it takes: somebody makes
        room, and nothing is lost till then. So is what is on its way back from cold storage.
        """
        if isinstance(error, Restoring):
            return Retry(self._jittered(min(self.cap_ms, error.retry_after * 1000)), counted=False)
        if isinstance(error, StorageFull):
            return Retry(self._jittered(min(self.cap_ms, self.full_ms)))
        passing = isinstance(error, ConditionFailed)  # another guard than the lease's own
        passing |= may_be_late(error, attempts)
        final = isinstance(error, MediamillError) and not (error.retryable or passing)
        if final or self._enough(attempts, age_ms):
            return None
        ceiling = min(self.cap_ms, self.base_ms << min(attempts, 20))
        delay = self._jittered(self.delays_ms[attempts] if self.delays_ms else ceiling)
        return Retry(max(delay, _asked_ms(error)))

    def _enough(self, attempts: int, age_ms: int) -> bool:
        if self.delays_ms:
            return attempts >= len(self.delays_ms)
        if self.lasting_ms is not None:
            return age_ms >= self.lasting_ms
        return attempts + 1 >= self.attempts

    def _jittered(self, ceiling: int) -> int:
        return ceiling // 2 + random.randrange(ceiling // 2 + 1)  # noqa: S311 - jitter


def _asked_ms(error: BaseException) -> int:
    """Return how long (ms) the other side asked to be left alone, as who raised it bounded it."""
    if not isinstance(error, MediamillError):
        return 0
    seconds = error.details.get("retry_after") or 0
    return int(error.details.get("after_ms") or math.ceil(1000 * seconds))


def may_be_late(error: BaseException, attempts: int) -> bool:
    """Tell whether what was not found may yet come to sight, as on a shared folder."""
    late = isinstance(error, NotFound) and bool(error.details.get("late"))
    return late and attempts < LATE_ATTEMPTS
