"""Numbers for CloudWatch, as log lines of its embedded metric format: few, and plain.

A process tells what it has counted since it told last, where that is not nothing; the sums of all
processes are then CloudWatch's. One process (the sweep on Lambda) tells what is known of the whole.
What AWS counts itself (requests, calls, throttles, processors) is not told again.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mediamill.analytics.noting import last_export
from mediamill.core import backups
from mediamill.core.clock import HOUR
from mediamill.core.declaring import Kind, Metric
from mediamill.core.errors import MediamillError
from mediamill.core.metrics import (
    ITEMS,
    LEASES_EXPIRED,
    REQUESTS,
    STORE_ERRORS,
    STORE_RETRIES,
    UNIT_SECONDS,
)
from mediamill.core.numbers import Labels
from mediamill.parts import Parts
from mediamill.services.jobs.backlog import Work
from mediamill.services.retention import RetentionService
from mediamill.services.stream.rules import topics_of
from mediamill.services.sums import Sums
from mediamill.services.workers import WorkerService
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.stream import StreamBooks, StreamPartition, watched
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.workers import WorkerState

NAMESPACE = "Mediamill"
DIMENSION = "Installation"
OTHERS = ("fetch", "deliver", "mail", "notify")
"""Kinds of units that mostly fail because of somebody else; what becomes of them is told apart."""
Chosen = Callable[[Labels], bool]


def _failed(labels: Labels) -> bool:
    _, route, status = labels
    return status.startswith("5") and not route.startswith("/health/")


def _given_up(labels: Labels) -> bool:
    """Leave out what ends by what others have: a dead link, a webhook or a mailbox that is gone."""
    _, kind, outcome = labels
    return kind not in OTHERS and outcome in ("given_up", "stranded")


COUNTED: Mapping[str, tuple[Metric, Chosen]] = {
    "requests_failed": (REQUESTS, _failed),
    "items_succeeded": (ITEMS, lambda labels: labels[1] == "succeeded"),
    "items_failed": (ITEMS, lambda labels: labels[1] == "failed"),
    "units_given_up": (UNIT_SECONDS, _given_up),
    "leases_expired": (LEASES_EXPIRED, lambda _: True),
    "store_errors": (STORE_ERRORS, lambda labels: labels[1] != "wrong"),
    "store_throttled": (STORE_RETRIES, lambda labels: labels[0] == "throttled"),
}
TOLD = {
    "mails_failed": ("mail", ("refused", "given_up")),
    "events_failed": ("webhook", ("failed",)),
}
"""The same of what goes out: the channel, and what comes of it."""

KNOWN = (
    "units_open", "workers_running", "retention_overdue", "stream_behind", "budget_taken_percent",
    "figures_exported_hours", "backups_broken",
)  # fmt: skip
"""What is told of the whole beside the queues, where there is something of it."""


@dataclass
class Changes:
    """What a process has counted since it was asked last."""

    parts: Parts
    _before: dict[str, float] = field(default_factory=dict)

    def take(self) -> dict[str, float]:
        """Return by how much each number grew; those that did not are left out."""
        now = {name: self._sum(*how) for name, how in COUNTED.items()}
        for name, (channel, outcomes) in TOLD.items():
            now[name] = sum(self.parts.told[channel, outcome] for outcome in outcomes)
        grown = {name: value - self._before.get(name, 0) for name, value in now.items()}
        self._before = now
        return {name: value for name, value in grown.items() if value}

    def _sum(self, metric: Metric, chosen: Chosen) -> float:
        numbers = self.parts.numbers
        if metric.kind is Kind.HISTOGRAM:
            times = numbers.times.get(metric, {}).items()
            return sum(sum(seen.buckets) for labels, seen in times if chosen(labels))
        counts = numbers.counts.get(metric, {}).items()
        return sum(count for labels, count in counts if chosen(labels))


@dataclass(frozen=True)
class Whole:
    """What is known of the installation."""

    work: Work
    workers: WorkerService
    kept: RetentionService
    books: StreamBooks
    sums: Sums
    topics: str = ""
    """What the settings say of topics."""
    exports: bool = False
    """Whether figures are to be exported."""

    async def read(self) -> tuple[Sequence[Backlog], dict[str, float]]:
        """Return the queues, and all numbers; raises `Unavailable`."""
        now, found = await self.work.backlogs.store.now(), await self.work.look()
        values = dict[str, float]()
        for one in found:
            values[f"units_ready_{one.klass}"] = one.ready
            values[f"units_running_{one.klass}"] = one.running
            waited = 0 if one.since is None else max(0, now - one.since) / 1000
            values[f"units_waiting_{one.klass}"] = waited
        values["units_open"] = sum(one.ready + one.running for one in found)
        try:
            values |= await self._others(now)
        except MediamillError:  # what workers are started by is told in any case
            return found, values
        return found, values

    async def _others(self, now: int) -> dict[str, float]:
        rows = [one.row for one in await self.workers.all() if not one.lost]
        values: dict[str, float] = {
            "workers_running": sum(row.state is WorkerState.RUNNING for row in rows),
            "retention_overdue": sum(one.files for one in await self.kept.overdue()),
        }
        partitions = await self.stream()
        if partitions:
            behind = [row.end - row.next for row in partitions if row.end is not None]
            values["stream_behind"] = max([0, *behind])
        spend = await self.sums.spend()
        if spend.budget:
            values["budget_taken_percent"] = 100 * spend.taken / spend.budget
        return values | await self._kept_elsewhere(now)

    async def _kept_elsewhere(self, now: int) -> dict[str, float]:
        """Return how old the export of figures is, and how much of the backups is broken."""
        values, store = dict[str, float](), self.work.backlogs.store
        if self.exports:
            exported = await last_export(store, wanted=True) or 0
            values["figures_exported_hours"] = (now - exported) / HOUR
        if (unit := await store.get(Unit, backups.UNIT, 0)) is not None:
            values["backups_broken"] = backups.broken_objects(unit.payload)
        return values

    async def stream(self) -> Sequence[StreamPartition]:
        """Return the partitions of the stream that matter."""
        now = await self.books.store.now()
        return watched(await self.books.list(), topics_of(self.topics), now)


def line(values: Mapping[str, float], now: int, installation: str = "") -> str:
    """Write numbers as one line, told apart by the installation's name if it has one.

    `now` is in milliseconds.
    """
    told = [{"Name": name, "Unit": _unit(name)} for name in values]
    of = {DIMENSION: installation} if installation else {}
    directive = {"Namespace": NAMESPACE, "Dimensions": [[*of]], "Metrics": told}
    said = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}}
    return json.dumps({**said, **of, **values})


def _unit(name: str) -> str:
    if name.startswith("units_waiting_"):
        return "Seconds"
    return "Percent" if name.endswith("_percent") else "Count"
