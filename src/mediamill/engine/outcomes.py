"""What became of a generation of a job, as it is told: the row may be in its next one by then."""

import msgspec

from mediamill.store.repositories.jobs import Counts, Job, JobState
from mediamill.store.repositories.units import Unit


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a generation, as it was at that moment."""

    state: JobState
    counts: Counts
    items: int = 0
    """Inputs of the last stage, and those that failed before it."""
    failed_earlier: int = 0
    error: str = ""
    begun: int | None = None
    """When it was asked for (ms)."""
    finished: int

    @property
    def failed(self) -> int:
        return self.counts.failed + self.failed_earlier

    @property
    def succeeded(self) -> int:
        return self.counts.succeeded + self.counts.reused

    @property
    def seconds(self) -> float:
        """How long it took, 0 where that is not known."""
        return 0.0 if self.begun is None else max(0, self.finished - self.begun) / 1000


def as_ended(job: Job, finished: int) -> Outcome:
    """Return the outcome that a job's row tells of its generation."""
    return Outcome(
        state=job.state,
        counts=job.counts,
        items=job.items + job.failed_earlier,
        failed_earlier=job.failed_earlier,
        error=job.error,
        begun=job.created if job.generation == 1 else None,
        finished=finished,
    )


def outcome_of(unit: Unit, job: Job) -> Outcome:
    """Return the outcome that a unit tells; an earlier version's tells that of the row."""
    if told := unit.payload.get("outcome"):
        return msgspec.convert(told, Outcome)
    return as_ended(job, job.finished or unit.created)
