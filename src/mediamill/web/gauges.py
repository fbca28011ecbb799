"""Numbers that are read from the service when somebody asks for them."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediamill import __version__
from mediamill.app import App
from mediamill.core.errors import MediamillError


@dataclass(frozen=True, eq=False)
class Gauges(Collector):
    """One reading of the service."""

    ready: bool
    free_bytes: int | None
    protections: dict[str, bool | str]

    def collect(self) -> Iterator[Metric]:
        """Yield each gauge of this reading."""
        about = GaugeMetricFamily("mediamill_info", "The running version.", labels=["version"])
        about.add_metric([__version__], 1)
        yield about
        yield GaugeMetricFamily(
            "mediamill_ready", "Whether every backend answers.", value=float(self.ready)
        )
        if self.free_bytes is not None:
            yield GaugeMetricFamily(
                "mediamill_blobs_free_bytes", "Room left for files.", value=self.free_bytes
            )
        sandbox = GaugeMetricFamily(
            "mediamill_slot_protection",
            "Whether the kernel grants a protection to slots.",
            labels=["protection"],
        )
        for name, granted in self.protections.items():
            sandbox.add_metric([name], float(granted is True))
        yield sandbox


async def read_gauges(app: App) -> CollectorRegistry:
    """Read the service now; a backend that is away shows as not ready."""
    health = await app.health()
    try:
        free = await app.blobs.free_bytes()
    except MediamillError:
        free = None
    registry = CollectorRegistry()
    registry.register(Gauges(bool(health["ok"]), free, app.slots.protections()))
    return registry
