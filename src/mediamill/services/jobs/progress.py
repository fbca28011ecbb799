"""How far a job is, from its counters and its open units."""

from dataclasses import dataclass, field, replace

from mediamill.services.jobs.queue import Place
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.units import Unit, UnitState


@dataclass(frozen=True)
class Progress:
    """Items by what became of them, and the part of the estimated work that is done (0…1)."""

    items: int
    succeeded: int
    failed: int
    cancelled: int
    reused: int
    running: int
    pending: int
    fraction: float
    started: int | None = None
    seconds_left: float | None = None
    place: Place | None = None
    """Where the job stands in line before its first unit begins."""
    restoring: int = 0
    """Of those that are pending: inputs of units that wait for cold storage."""
    for_workers: int = 0
    """Of those that are pending: beyond what a function can do, they wait for a worker."""

    def waiting(self, place: Place) -> "Progress":
        """Return it for a job that has not begun."""
        return replace(self, place=place, seconds_left=place.seconds_left)


@dataclass
class Ahead:
    """Sums of the units above a job's watermark, taken one by one."""

    succeeded: int = 0
    failed: int = 0
    reused: int = 0
    cancelled: int = 0
    running: set[int] = field(default_factory=set)
    """Places of items; parts of a long one are one item."""
    items: int = 0
    work: float = 0.0
    """Estimated seconds done."""
    started: int | None = None
    restoring: int = 0
    for_workers: set[int] = field(default_factory=set)
    klass: str | None = None
    """Of the first unit that is ready: what the job waits for before it begins."""

    def add(self, unit: Unit) -> None:
        """Add a unit, open or closed."""
        self.succeeded += unit.succeeded
        self.failed += unit.failed
        self.reused += unit.reused
        self.items += len(unit.items)
        self.work += unit.cost * (unit.progress if unit.state.open else 1.0)
        self.started = earliest(self.started, unit.started)
        if unit.state is UnitState.READY:
            self.klass = self.klass or unit.klass
        if unit.state is UnitState.LEASED:
            self.running.update(unit.works_on())
        elif unit.restoring:
            self.restoring += len(unit.pending())
        elif unit.for_workers:
            self.for_workers.update(unit.works_on())
        elif unit.state is UnitState.CANCELLED:
            self.cancelled += len(unit.pending())


def measure(job: Job, ahead: Ahead, now: int) -> Progress:
    """Add the units above a job's watermark to its counters.

    Time left assumes that the rest goes as the part done so far did; it is None until that part
    is large enough to say anything.
    """
    counts = job.counts
    settled = counts.settled + ahead.succeeded + ahead.failed + ahead.reused + ahead.cancelled
    running = len(ahead.running)
    fraction = 1.0 if job.state.terminal else _fraction(job, ahead)
    started = earliest(job.started, ahead.started)
    return Progress(
        items=job.items,
        succeeded=counts.succeeded + ahead.succeeded,
        failed=counts.failed + ahead.failed,
        cancelled=counts.cancelled + ahead.cancelled,
        reused=counts.reused + ahead.reused,
        running=running,
        pending=max(0, job.items - settled - running),
        fraction=fraction,
        started=started,
        seconds_left=_seconds_left(job, fraction, started, now),
        restoring=ahead.restoring,
        for_workers=len(ahead.for_workers - ahead.running),
    )


def earliest(one: int | None, other: int | None) -> int | None:
    """Return the earlier of two times, either of which may not be known."""
    return min((time for time in (one, other) if time is not None), default=None)


def _fraction(job: Job, ahead: Ahead) -> float:
    """Weigh units by their estimated cost; while units are still inserted, by their items."""
    whole = job.cost + job.planned
    share = (job.spent + ahead.work) / whole if whole else 0.0
    if not job.expanded:
        share *= min(1.0, (job.counts.settled + ahead.items) / max(1, job.items))
    return min(0.999, share)


def _seconds_left(job: Job, fraction: float, started: int | None, now: int) -> float | None:
    if job.state.terminal or started is None or fraction < 0.02:
        return None
    return round((now - started) / 1000 * (1 - fraction) / fraction, 1)
