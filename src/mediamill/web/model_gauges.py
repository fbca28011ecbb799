"""Numbers of model calls, and how providers do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric

from mediamill.engine.asking.meter import BUCKETS, Meter
from mediamill.store.repositories.circuits import Circuit

MICRO = 1_000_000


@dataclass(frozen=True)
class ModelGauges:
    """One reading: calls of this process, and what all share of the providers in chains."""

    meter: Meter
    circuits: Sequence[tuple[Circuit, bool]] = ()
    """Each with whether it rests."""

    def collect(self) -> Iterator[Metric]:
        """Yield each number."""
        calls = CounterMetricFamily(
            "mediamill_model_calls",
            "Model calls of this process that have ended, by what came of them.",
            labels=["provider", "outcome"],
        )
        for (provider, outcome), count in sorted(self.meter.calls.items()):
            calls.add_metric([provider, outcome], count)
        cost = CounterMetricFamily(
            "mediamill_model_cost_dollars",
            "What model calls of this process cost; those cut off count as the most they could.",
            labels=["provider"],
        )
        for provider, micro in sorted(self.meter.cost.items()):
            cost.add_metric([provider], micro / MICRO)
        yield from (calls, cost, self._seconds())
        yield from self._shared()

    def _seconds(self) -> Metric:
        seconds = HistogramMetricFamily(
            "mediamill_model_call_seconds",
            "Time from a model call's beginning to its end.",
            labels=["provider"],
        )
        for provider, counts in sorted(self.meter.buckets.items()):
            sums = [sum(counts[: place + 1]) for place in range(len(counts))]
            ends = [*(str(end) for end in BUCKETS), "+Inf"]
            total = self.meter.milliseconds[provider] / 1000
            seconds.add_metric([provider], [*zip(ends, sums, strict=True)], sum_value=total)
        return seconds

    def _shared(self) -> Iterator[Metric]:
        resting = GaugeMetricFamily(
            "mediamill_provider_resting",
            "Whether a provider of a chain kept failing and is left alone for a while.",
            labels=["provider"],
        )
        permits = GaugeMetricFamily(
            "mediamill_provider_permits",
            "Calls of a provider that workers may have under way now, all together.",
            labels=["provider"],
        )
        for circuit, rests in self.circuits:
            resting.add_metric([circuit.provider], float(rests))
            permits.add_metric([circuit.provider], max(0, circuit.granted))
        yield from (resting, permits)
