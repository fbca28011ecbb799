"""What a process tells of itself: what it has counted, and how it and its machine are."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from mediamill import __version__
from mediamill.adapters.brokers.port import Served
from mediamill.app import App
from mediamill.blobs.port import OnDisk
from mediamill.core import metrics
from mediamill.core.backups import last_backup, noted_backup
from mediamill.core.declaring import Kind, Metric, Of
from mediamill.core.load import Load, read_load
from mediamill.core.numbers import Labels, Numbers
from mediamill.web.metrics.families import family, histogram, single

MAILS = ("sent", "postponed", "refused", "given_up", "dropped")
"""What comes of a mail: `postponed` is tried again, `dropped` has nobody to go to any more."""
CHANNELS, OUTCOMES = ("events", "webhook"), ("sent", "retried", "failed")
ELSEWHERE = (metrics.MAILS, metrics.EVENTS)
"""Counters that are not among the numbers of the process."""


@dataclass(frozen=True)
class Machine:
    """What a look at the machine found."""

    load: Load | None
    disks: Mapping[str, tuple[int, int]]
    """Free and all bytes where a folder lies."""
    certificate: float | None
    """When the one that is served ends (s)."""
    backup: int | None
    """Up to when everything is in the last one that this home knows of (ms)."""
    lacking: Mapping[str, int]
    """How many files it had trouble with, by which."""


def look_at_machine(app: App) -> Machine:
    """Look; this blocks, on a network's disk for long."""
    folders = {"home": app.settings.home, "scratch": app.scratch}
    for name, blobs in zip(("blobs", "results"), app.parts.blob_stores(), strict=False):
        if isinstance(blobs, OnDisk):
            folders[name] = blobs.root
    disks = {name: room for name, folder in folders.items() if (room := _room(folder))}
    backup = last_backup(app.settings.home, wanted=bool(app.settings.backup_url))
    noted = noted_backup(app.settings.home)
    lacking = noted.counts if noted is not None else {}
    return Machine(read_load(), disks, _ends(app.settings.tls_certificate), backup, lacking)


def _room(folder: Path) -> tuple[int, int] | None:
    try:
        found = shutil.disk_usage(folder)
    except OSError:
        return None
    return found.free, found.total


def _ends(certificate: str) -> float | None:
    try:
        pem = Path(certificate).read_bytes() if certificate else b""
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp() if pem else None
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, eq=False)
class Own(Collector):
    """One reading."""

    app: App
    ready: bool
    machine: Machine | None
    free_bytes: int | None

    def collect(self) -> Iterator[Family]:
        """Yield each metric of this reading."""
        yield family(metrics.INFO, [((__version__,), 1)])
        yield single(metrics.READY, float(self.ready))
        if self.machine is not None:
            yield from _machine(self.machine)
        if self.free_bytes is not None:
            yield single(metrics.BLOBS_FREE, self.free_bytes)
        slots = self.app.slots
        counts = {"busy": slots.busy, "free": slots.size - slots.busy}
        yield family(metrics.SLOTS, [((state,), count) for state, count in counts.items()])
        granted = slots.protections().items()
        yield family(metrics.PROTECTION, [((name,), float(one is True)) for name, one in granted])
        if isinstance(self.app.bell, Served) and self.app.bell.connected is not None:
            yield single(metrics.DOORBELL, float(self.app.bell.connected))
        yield from self._told()
        yield from counted(self.app.parts.numbers)

    def _told(self) -> Iterator[Family]:
        told = self.app.parts.told
        yield family(metrics.MAILS, [((one,), told["mail", one]) for one in MAILS])
        places = [(channel, outcome) for channel in CHANNELS for outcome in OUTCOMES]
        yield family(metrics.EVENTS, [(place, told[place]) for place in places])


def _machine(machine: Machine) -> Iterator[Family]:
    if machine.load is not None:
        load = machine.load
        yield single(metrics.MACHINE_BUSY, load.busy)
        yield single(metrics.MACHINE_CPUS, load.cpus)
        sizes = {"total": load.total, "available": load.available}
        yield family(metrics.MACHINE_MEMORY, [((state,), size) for state, size in sizes.items()])
    for metric, place in ((metrics.DISK_FREE, 0), (metrics.DISK_SIZE, 1)):
        yield family(metric, [((name,), room[place]) for name, room in machine.disks.items()])
    if machine.certificate is not None:
        yield single(metrics.CERTIFICATE_ENDS, machine.certificate)
    if machine.backup is not None:
        yield single(metrics.BACKUP, machine.backup / 1000)
    lacking = [((trouble,), float(count)) for trouble, count in machine.lacking.items()]
    yield family(metrics.BACKUP_LACKS, lacking)


def counted(numbers: Numbers) -> Iterator[Family]:
    """Yield what the process has counted itself, also what is 0 yet."""
    for metric in metrics.METRICS.values():
        if metric.kind is Kind.HISTOGRAM:
            yield histogram(metric, numbers.times.get(metric, {}))
        elif metric.kind is Kind.COUNTER and _of_numbers(metric):
            found: Mapping[Labels, float] = numbers.counts.get(metric, {})
            yield family(metric, sorted({**metric.born(found), **found}.items()))


def _of_numbers(metric: Metric) -> bool:
    read = (metrics.MACHINE_BUSY, metrics.PROCESS_CPU, *ELSEWHERE)
    return metric.of is Of.PROCESS and metric not in read
