"""What the model calls of this process came to, for those who watch the service."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from mediamill.store.repositories.attempts import Attempt

BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds of a call."""


@dataclass
class Meter:
    """Counts calls by provider; names are those under which they are set up."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By provider and what became of them."""
    cost: Counter[str] = field(default_factory=Counter)
    """Micro-dollars."""
    milliseconds: Counter[str] = field(default_factory=Counter)
    buckets: dict[str, list[int]] = field(default_factory=dict)
    """How many calls took so long, as `BUCKETS` has it; the last: longer."""

    def count(self, row: Attempt) -> None:
        """Count a call that has ended."""
        if not row.called:
            return
        self.calls[row.provider, row.state.value] += 1
        self.cost[row.provider] += row.cost
        self.milliseconds[row.provider] += row.milliseconds
        counts = self.buckets.setdefault(row.provider, [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, row.milliseconds / 1000)] += 1
