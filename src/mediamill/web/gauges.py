"""Numbers that are read from the service when somebody asks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediamill import __version__
from mediamill.app import App


class Gauges(Collector):
    """Collects the state of this process's parts."""

    def __init__(self, app: App) -> None:
        self.app = app

    def collect(self) -> Iterator[Metric]:
        """Yield each gauge as it stands now."""
        yield from ()
