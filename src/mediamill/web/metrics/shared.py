"""What every server of the API tells alike: of the installation as a whole, from its store."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from mediamill.core import metrics
from mediamill.core.numbers import Labels
from mediamill.services.retention import Overdue
from mediamill.services.sums import Kept, Spend
from mediamill.services.workers import Seen
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.circuits import Circuit
from mediamill.store.repositories.spending import MICRO
from mediamill.store.repositories.stream import StreamPartition
from mediamill.store.repositories.workers import WorkerState
from mediamill.web.metrics.families import family, single

LOST = "lost"


@dataclass(frozen=True, eq=False)
class Shared(Collector):
    """One reading; what could not be read is empty."""

    now: int | None = None
    """The store's time (ms)."""
    work: Sequence[Backlog] = ()
    workers: Sequence[Seen] | None = None
    kept: Kept | None = None
    spend: Spend | None = None
    stream: Sequence[StreamPartition] = ()
    retained: Sequence[Overdue] = ()
    circuits: Sequence[tuple[Circuit, bool]] = ()
    """Each with whether it rests."""
    exported: int | None = None
    """Up to when figures are exported (ms)."""

    def collect(self) -> Iterator[Family]:
        """Yield each metric of this reading."""
        yield from self._work()
        if self.workers is not None:
            yield self._workers(self.workers)
        if self.kept is not None:
            yield from _kept(self.kept)
        if self.spend is not None:
            yield from _spend(self.spend)
        yield from self._retention()
        yield from self._stream()
        yield from self._providers()
        if self.exported is not None:
            yield single(metrics.EXPORTED, self.exported / 1000)

    def _work(self) -> Iterator[Family]:
        states = [
            ((one.klass, state), getattr(one, state))
            for one in self.work
            for state in ("ready", "running")
        ]
        yield family(metrics.UNITS, states)
        capped = [((one.klass,), float(one.capped)) for one in self.work]
        yield family(metrics.UNITS_CAPPED, capped)
        if self.now is not None:
            yield family(
                metrics.UNITS_WAITING, [((one.klass,), waits(one, self.now)) for one in self.work]
            )

    def _workers(self, workers: Sequence[Seen]) -> Family:
        states = Counter(LOST if one.lost else one.row.state.value for one in workers)
        names = [*WorkerState, LOST]
        return family(metrics.WORKERS, [((name,), states[name]) for name in names])

    def _providers(self) -> Iterator[Family]:
        """Yield how providers are; those of one name rest as soon as one of them does."""
        resting, permits = dict[Labels, float](), Counter[Labels]()
        for one, rests in self.circuits:
            name = (metrics.provider_label(one.provider),)
            resting[name] = max(resting.get(name, 0.0), float(rests))
            permits[name] += max(0, one.granted)
        yield family(metrics.RESTING, resting.items())
        yield family(metrics.PERMITS, permits.items())

    def _retention(self) -> Iterator[Family]:
        done = [one.done for one in self.retained]
        overdue = [((one.done.source,), one.files) for one in self.retained]
        yield family(metrics.RETENTION_OVERDUE, overdue)
        yield family(
            metrics.RETENTION_SWEPT,
            [((one.source,), one.swept / 1000) for one in done if one.swept is not None],
        )
        held = [((one.source,), float(one.wanted is not None)) for one in done]
        yield family(metrics.RETENTION_HELD, held)
        yield family(metrics.RETENTION_FILES, [((one.source,), one.files) for one in done])
        yield family(metrics.RETENTION_BYTES, [((one.source,), one.bytes) for one in done])

    def _stream(self) -> Iterator[Family]:
        """Yield what has come by the stream."""
        rows = [((row.topic, str(row.number)), row) for row in self.stream]
        behind = [(at, max(0, row.end - row.next)) for at, row in rows if row.end is not None]
        yield family(metrics.STREAM_BEHIND, behind)
        seen = [(at, row.seen / 1000) for at, row in rows if row.seen is not None]
        yield family(metrics.STREAM_SEEN, seen)
        yield family(metrics.STREAM_FILES, [(at, row.files) for at, row in rows])
        yield family(metrics.STREAM_LETTERS, [(at, row.letters) for at, row in rows])


def waits(one: Backlog, now: int) -> float:
    """Return for how many seconds the unit has waited that was due first."""
    return 0.0 if one.since is None else max(0, now - one.since) / 1000


def _kept(kept: Kept) -> Iterator[Family]:
    sizes = {"files": kept.bytes - kept.results, "results": kept.results}
    yield family(metrics.KEPT_BYTES, [((what,), size) for what, size in sizes.items()])
    yield single(metrics.KEPT_FILES, kept.files)
    yield single(metrics.OPEN_JOBS, kept.jobs)
    yield single(metrics.ACCOUNTS, kept.accounts)


def _spend(spend: Spend) -> Iterator[Family]:
    yield single(metrics.SPENT_TODAY, spend.today / MICRO)
    months = Counter[Labels]()
    for provider, cost in sorted(spend.month.items()):
        months[(metrics.provider_label(provider),)] += cost
    yield family(metrics.SPENT_MONTH, [(name, cost / MICRO) for name, cost in months.items()])
    if spend.budget is not None:
        yield single(metrics.BUDGET, spend.budget / MICRO)
        yield single(metrics.BUDGET_TAKEN, spend.taken / MICRO)
