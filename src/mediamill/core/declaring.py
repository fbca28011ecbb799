"""What is declared of a metric; `core/metrics.py` declares each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product


class Kind(StrEnum):
    COUNTER = "counter"
    """Only grows, from 0 when its process begins."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    """`NAME_bucket`, `NAME_sum` and `NAME_count`."""


class Of(StrEnum):
    """What a metric tells of, and so who shows it."""

    PROCESS = "process"
    """Each process shows its own: add them up."""
    INSTALLATION = "installation"
    """Every server of the API shows the same, workers by themselves nothing: take the largest."""


@dataclass(frozen=True, eq=False)
class Metric:
    """One metric, as it is scraped."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    of: Of = Of.PROCESS
    buckets: tuple[float, ...] = ()
    """Upper ends, of a histogram."""
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values of a label, of a counter, that show with 0 before anything is counted.

    Prometheus takes a series' first sample for where it begins: what was counted before is not seen
    to grow. A label for which none are named shows what was counted, and beside it all of these.
    """

    def born(self, counted: Iterable[tuple[str, ...]] = ()) -> dict[tuple[str, ...], float]:
        """Return the series that show with 0, some being counted."""
        seen = list(counted)
        if len(self.known) == len(self.labels):
            seen.append(self.labels)
        return dict.fromkeys((labels for one in seen for labels in self._beside(one)), 0.0)

    def _beside(self, labels: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        pairs = zip(self.labels, labels, strict=True)
        return product(*(self.known.get(name, (said,)) for name, said in pairs))


def counter(
    name: str,
    labels: str,
    meaning: str,
    of: Of = Of.PROCESS,
    known: Mapping[str, tuple[str, ...]] | None = None,
) -> Metric:
    names = tuple(labels.split())
    return Metric(f"{name}_total", Kind.COUNTER, names, meaning, of, known=known or {})


def gauge(name: str, labels: str, meaning: str, of: Of = Of.PROCESS) -> Metric:
    return Metric(name, Kind.GAUGE, tuple(labels.split()), meaning, of)


def histogram(name: str, labels: str, meaning: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, tuple(labels.split()), meaning, buckets=buckets)
