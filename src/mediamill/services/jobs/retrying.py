"""Open an ended job again for what it left undone (ADR 0011).

The next generation begins at the earliest stage with such items. What they become is added to the
inputs of the stages that follow, where all that has no good outcome yet is run; what is done stays.
"""

from dataclasses import dataclass
from typing import Any, Literal

from mediamill.core.errors import Conflict
from mediamill.engine.stages import pass_unit
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.jobs import Counts, Job, JobState, Tally
from mediamill.store.repositories.spending import month_of
from mediamill.store.repositories.units import Unit

Only = Literal["failed", "cancelled", "unfinished"]
_WORDS = {"unfinished": "failed or cancelled"}


@dataclass(frozen=True)
class Retry:
    """A job and what of it is to be run again."""

    job: Job
    only: Only
    budget: int | None = None
    """The most that all its model calls may cost from now on, in micro-dollars; None: as before."""
    month: str = ""
    """The month in which what is run again counts."""

    def check(self) -> None:
        """Raise `Conflict` for a job that has not ended, or has nothing to run again."""
        job = self.job
        if not job.state.terminal:
            raise Conflict(f"The job has not ended yet: {job.state}.", state=job.state)
        if job.trimming is not None:
            message = "What has expired is being taken out of the job: try again in a moment."
            raise Conflict(message, state="trimming")
        if self._stage is None and job.layout is not None and not self._cut_short:
            words = _WORDS.get(self.only, self.only)
            raise Conflict(f"The job has no {words} items.", state=job.state)

    def opened(self) -> Job:
        """Return the job as its next generation begins."""
        job, stage = self.job, self.job.stage if self._stage is None else self._stage
        tally = self._tallies[stage]
        standing = left_standing(tally.counts, self.only)
        again = tally.items - standing.settled
        return job.evolve(
            state=JobState.EXPANDING,
            generation=job.generation + 1,
            budget=job.budget if self.budget is None else self.budget,
            stage=stage,
            items=tally.items,
            counts=standing,
            failed_earlier=undone(self._tallies[:stage]),
            tallies=self._tallies,
            rerun=self.only,
            expanded=False,
            cancelling=False,
            active=job.owner,
            open="open",
            counted=True,
            metered=job.metering(again, self.month),
            reserved=again,
            checked=0,
            finished=None,
            layout=None,
            download_size=0,
            download_etag="",
            error="",
        )

    def update(self) -> Update:
        """Make the update that opens it, unless somebody else was first."""
        job, opened = self.job, self.opened()
        changes: dict[str, Any] = {
            name: getattr(opened, name)
            for name in opened.__struct_fields__
            if getattr(opened, name) != getattr(job, name)
        }
        guard = (
            Equals("generation", job.generation),
            Equals("state", job.state),
            Equals("deleted", None),
            Equals("trimming", None),
            Equals("counted", job.counted),
        )
        return Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard)

    def unit(self, now: int) -> Unit:
        """Make the unit that begins; inputs that were never listed are listed first."""
        opened = self.opened()
        if opened.inputs and not any(tally.items for tally in opened.noted()):
            return pass_unit(opened, "gather", now)
        whole = self.only != "failed" and self._tallies[opened.stage].counts.cancelled
        only = self.only if whole else "failed"  # these have an index
        return pass_unit(opened, "expand", now, only=only)

    @property
    def _stage(self) -> int | None:
        """Return the first stage with items to run again."""
        for stage, tally in enumerate(self._tallies[: self.job.stage + 1]):
            if left_standing(tally.counts, self.only) != tally.counts:
                return stage
        return None

    @property
    def _cut_short(self) -> bool:
        """Tell whether it was cancelled before all inputs were listed, or all stages begun."""
        job = self.job
        unlisted = bool(job.inputs) and not job.items
        return self.only != "failed" and (unlisted or job.stage + 1 < job.stages)

    @property
    def _tallies(self) -> tuple[Tally, ...]:
        return self.job.noted()


def opened(job: Job, now: int) -> Job:
    """Return a new job as it counts while it is open, its items in the month of a time (ms)."""
    metered = job.metering(job.items, month_of(now))
    return job.evolve(counted=True, metered=metered, reserved=job.items)


def left_standing(counts: Counts, only: str) -> Counts:
    """Return the counts without those of the items that are run again."""
    return Counts(
        succeeded=counts.succeeded,
        reused=counts.reused,
        failed=counts.failed if only == "cancelled" else 0,
        cancelled=counts.cancelled if only == "failed" else 0,
    )


def undone(tallies: tuple[Tally, ...]) -> int:
    """Count what failed or was cancelled in some stages."""
    return sum(tally.counts.failed + tally.counts.cancelled for tally in tallies)
