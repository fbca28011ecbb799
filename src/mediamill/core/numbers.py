"""What a process counts of itself, by the metrics that `core/metrics.py` declares."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

from mediamill.core.declaring import Metric

Labels = tuple[str, ...]
"""Values, in the order of the metric's labels."""


@dataclass
class Times:
    """Seconds that were observed."""

    buckets: list[int]
    """How many took so long, as the metric's buckets say; the last: longer."""
    seconds: float = 0.0


@dataclass
class Numbers:
    """Counters and histograms of one process; used on its event loop only."""

    counts: defaultdict[Metric, defaultdict[Labels, float]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(float))
    )
    times: defaultdict[Metric, dict[Labels, Times]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def count(self, metric: Metric, *labels: str, more: float = 1) -> None:
        """Count something that has happened."""
        self.counts[metric][labels] += more

    def time(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Take in how long something took."""
        known = self.times[metric].get(labels)
        if known is None:
            known = self.times[metric][labels] = Times([0] * (len(metric.buckets) + 1))
        known.buckets[bisect_left(metric.buckets, seconds)] += 1
        known.seconds += seconds
