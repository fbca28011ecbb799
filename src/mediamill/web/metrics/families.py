"""Metrics as Prometheus's client writes them, made of what `core/metrics.py` declares."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from mediamill.core.declaring import Kind, Metric
from mediamill.core.numbers import Labels, Times

Sample = tuple[Labels, float]


def family(metric: Metric, samples: Iterable[Sample]) -> Family:
    """Make a counter or gauge of its values; a time in the future or past is in seconds."""
    made: CounterMetricFamily | GaugeMetricFamily
    if metric.kind is Kind.COUNTER:
        name = metric.name.removesuffix("_total")
        made = CounterMetricFamily(name, metric.meaning, labels=metric.labels)
    else:
        made = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        made.add_metric(labels, value)
    return made


def single(metric: Metric, value: float) -> Family:
    """Make a metric that has no labels."""
    return family(metric, [((), value)])


def histogram(metric: Metric, times: Mapping[Labels, Times]) -> Family:
    """Make a histogram of what was observed."""
    made = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    ends = [*(f"{end:g}" for end in metric.buckets), "+Inf"]
    for labels, seen in sorted(times.items()):
        sums = accumulate(seen.buckets)
        made.add_metric(labels, [*zip(ends, sums, strict=True)], sum_value=seen.seconds)
    return made
