"""How far a job is, from its counters and its open units."""

from collections.abc import Sequence
from dataclasses import dataclass

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


def measure(job: Job, units: Sequence[Unit], now: int) -> Progress:
    """Add the units above a job's watermark to its counters.

    Time left assumes that the rest goes as the part done so far did; it is None until that part
    is large enough to say anything.
    """
    counts = job.counts
    succeeded = counts.succeeded + sum(unit.succeeded for unit in units)
    failed = counts.failed + sum(unit.failed for unit in units)
    reused = counts.reused + sum(unit.reused for unit in units)
    leased = [unit for unit in units if unit.state is UnitState.LEASED]
    running = sum(len(unit.pending()) for unit in leased)
    settled = succeeded + failed + reused + counts.cancelled
    fraction = 1.0 if job.state.terminal else _fraction(job, units)
    starts = [time for time in (job.started, *(unit.started for unit in units)) if time]
    started = min(starts, default=None)
    return Progress(
        items=job.items,
        succeeded=succeeded,
        failed=failed,
        cancelled=counts.cancelled,
        reused=reused,
        running=running,
        pending=max(0, job.items - settled - running),
        fraction=fraction,
        started=started,
        seconds_left=_seconds_left(job, fraction, started, now),
    )


def _fraction(job: Job, units: Sequence[Unit]) -> float:
    """Weigh units by their estimated cost; while units are still inserted, by their items."""
    work = job.spent + sum(u.cost * (u.progress if u.state.open else 1.0) for u in units)
    share = work / job.cost if job.cost else 0.0
    if not job.expanded:
        seen = job.counts.settled + sum(len(unit.items) for unit in units)
        share *= min(1.0, seen / max(1, job.items))
    return min(0.999, share)


def _seconds_left(job: Job, fraction: float, started: int | None, now: int) -> float | None:
    if job.state.terminal or started is None or fraction < 0.02:
        return None
    return round((now - started) / 1000 * (1 - fraction) / fraction, 1)
