"""When to try a unit again: a decision, made in one place."""

import random
from dataclasses import dataclass

from mediamill.core.errors import ConditionFailed, MediamillError


@dataclass(frozen=True)
class Retry:
    """Try again after so many milliseconds."""

    delay_ms: int


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with full jitter, for errors of the surroundings, not of an item."""

    base_ms: int = 500
    cap_ms: int = 60_000
    attempts: int = 12

    def decide(self, error: BaseException, attempts: int) -> Retry | None:
        """Decide after `attempts` earlier failures; None means give up.

        A `MediamillError` that is not retryable is final at once; anything else may be a passing
        fault, so it is tried again.
        """
        passing = isinstance(error, ConditionFailed)  # another guard than the lease's own
        final = isinstance(error, MediamillError) and not (error.retryable or passing)
        if final or attempts + 1 >= self.attempts:
            return None
        ceiling = min(self.cap_ms, self.base_ms << min(attempts, 20))
        return Retry(ceiling // 2 + random.randrange(ceiling // 2 + 1))  # noqa: S311 - jitter
