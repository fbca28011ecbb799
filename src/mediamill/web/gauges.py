"""Numbers that are read from the service when somebody asks for them."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mediamill import __version__
from mediamill.adapters.brokers.port import Served
from mediamill.app import App
from mediamill.core.errors import MediamillError
from mediamill.services.retention import Overdue
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.stream import StreamPartition, summed
from mediamill.web.model_gauges import ModelGauges

T = TypeVar("T")
MAILS = ("sent", "postponed", "refused", "given_up", "dropped")
"""What comes of a mail: `postponed` is tried again, `dropped` has nobody to go to any more."""

CHANNELS, OUTCOMES = ("events", "webhook"), ("sent", "retried", "failed")


@dataclass(frozen=True, eq=False)
class Gauges(Collector):
    """One reading of the service."""

    ready: bool
    free_bytes: int | None
    protections: dict[str, bool | str]
    doorbell: bool | None = None
    """Whether the broker is there; None where there is none, or nobody has rung yet."""
    work: Sequence[Backlog] = ()
    told: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many units went out by each channel, and what came of it."""
    stream: Sequence[StreamPartition] = ()
    kept: Sequence[Overdue] = ()
    models: ModelGauges | None = None

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
        yield from self._work()
        yield self._mails()
        yield self._events()
        if self.stream:
            yield from self._stream()
        if self.kept:
            yield from self._retention()
        if self.models is not None:
            yield from self.models.collect()
        if self.doorbell is not None:
            yield GaugeMetricFamily(
                "mediamill_doorbell_connected",
                "Whether the broker is there; work is found without it, a little later.",
                value=float(self.doorbell),
            )
        sandbox = GaugeMetricFamily(
            "mediamill_slot_protection",
            "Whether the kernel grants a protection to slots.",
            labels=["protection"],
        )
        for name, granted in self.protections.items():
            sandbox.add_metric([name], float(granted is True))
        yield sandbox

    def _mails(self) -> Metric:
        mails = CounterMetricFamily(
            "mediamill_mails",
            "Mails that were to go out from this process, by what came of it.",
            labels=["outcome"],
        )
        for outcome in MAILS:
            mails.add_metric([outcome], self.told.get(("mail", outcome), 0))
        return mails

    def _events(self) -> Metric:
        events = CounterMetricFamily(
            "mediamill_events",
            "Events that went out from this process, by where and by what came of it.",
            labels=["channel", "outcome"],
        )
        for channel in CHANNELS:
            for outcome in OUTCOMES:
                told = self.told.get((channel, outcome), 0)
                events.add_metric([channel, outcome], told)
        return events

    def _work(self) -> Iterator[Metric]:
        units = GaugeMetricFamily(
            "mediamill_units",
            "Units of work that are ready or running: what workers are needed for.",
            labels=["class", "state"],
        )
        capped = GaugeMetricFamily(
            "mediamill_units_capped",
            "Whether there are more units than were counted.",
            labels=["class"],
        )
        for backlog in self.work:
            units.add_metric([backlog.klass, "ready"], backlog.ready)
            units.add_metric([backlog.klass, "running"], backlog.running)
            capped.add_metric([backlog.klass], float(backlog.capped))
        yield from (units, capped)

    def _retention(self) -> Iterator[Metric]:
        """Yield what retention has done, in all processes together, and what it has still to do."""
        overdue = GaugeMetricFamily(
            "mediamill_retention_overdue_files",
            "Files that are due by the rules of retention and not removed yet, up to a thousand.",
            labels=["source"],
        )
        swept = GaugeMetricFamily(
            "mediamill_retention_swept_timestamp_seconds",
            "When it was last looked for files that are due.",
            labels=["source"],
        )
        files = CounterMetricFamily(
            "mediamill_retention_files", "Files that retention has removed.", labels=["source"]
        )
        size = CounterMetricFamily(
            "mediamill_retention_bytes", "Bytes of files that retention removed.", labels=["source"]
        )
        held = GaugeMetricFamily(
            "mediamill_retention_rule_held",
            "Whether a rule that keeps files less long is held back: workers' settings may differ.",
            labels=["source"],
        )
        for one in self.kept:
            source = [one.done.source]
            overdue.add_metric(source, one.files)
            files.add_metric(source, one.done.files)
            size.add_metric(source, one.done.bytes)
            held.add_metric(source, float(one.done.wanted is not None))
            if one.done.swept is not None:
                swept.add_metric(source, one.done.swept / 1000)
        yield from (overdue, swept, held, files, size)

    def _stream(self) -> Iterator[Metric]:
        """Yield what has come by the stream; each partition as its last topic of that name."""
        labels = ["topic", "partition"]
        behind = GaugeMetricFamily(
            "mediamill_stream_behind_messages",
            "Messages that wait to be taken, when that was last looked at.",
            labels=labels,
        )
        seen = GaugeMetricFamily(
            "mediamill_stream_seen_timestamp_seconds",
            "When a process that has the partition last looked; old where none has it.",
            labels=labels,
        )
        files = CounterMetricFamily(
            "mediamill_stream_files", "Messages that became files.", labels=labels
        )
        letters = CounterMetricFamily(
            "mediamill_stream_dead_letters", "Messages that could not be taken.", labels=labels
        )
        for row in summed(self.stream):
            place = [row.topic, str(row.number)]
            files.add_metric(place, row.files)
            letters.add_metric(place, row.letters)
            if row.seen is not None:
                seen.add_metric(place, row.seen / 1000)
            if row.end is not None:
                behind.add_metric(place, max(0, row.end - row.next))
        yield from (behind, seen, files, letters)


async def read_gauges(app: App) -> CollectorRegistry:
    """Read the service now; a backend that is away shows as not ready."""
    health = await app.health()
    registry = CollectorRegistry()
    registry.register(
        Gauges(
            bool(health["ok"]),
            await _unless_away(app.blobs.free_bytes),
            app.slots.protections(),
            app.bell.connected if isinstance(app.bell, Served) else None,
            await _unless_away(app.work.look) or (),
            app.parts.told,
            await _unless_away(app.books.list) or (),
            await _unless_away(app.kept.overdue) or (),
            ModelGauges(
                app.parts.models.meter, await _unless_away(app.models.providers.circuits_now) or ()
            ),
        )
    )
    return registry


async def _unless_away(read: Callable[[], Awaitable[T]]) -> T | None:
    try:
        return await read()
    except MediamillError:
        return None
