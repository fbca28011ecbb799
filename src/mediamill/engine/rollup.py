"""Sum closed units into their job, once each, and lead the job to its next stage or its end.

Units below the job's watermark are summed already. Everybody who closes a unit nudges, and a sweep
nudges for whoever died before doing so; the update is conditional on the watermark, so a unit is
never summed twice, and on the generation, so a late nudge does not touch a retried job.
"""

from collections.abc import Sequence
from typing import Any

from mediamill.core.errors import ConditionFailed
from mediamill.engine.stages import pass_unit
from mediamill.engine.tallying import together
from mediamill.store.port import Equals, Store, Update
from mediamill.store.repositories.figures import Figures
from mediamill.store.repositories.jobs import Counts, Job, Jobs
from mediamill.store.repositories.units import Unit, Units, UnitState
from mediamill.store.repositories.usage import Usages

FIRST_LOOK, UNITS_PER_LOOK = 8, 200
"""Often a slow unit is in front of many closed ones: look at few first."""


class Rollup:
    """Brings a job's counters up to date."""

    def __init__(self, store: Store, jobs: Jobs, units: Units) -> None:
        self.store, self.jobs, self.units = store, jobs, units
        self.usages, self.figures = Usages(store), Figures(store)

    async def advance(self, job_id: str) -> bool:
        """Sum what has closed; True when that added follow-up work to be rung for."""
        closed: list[Unit] = []
        while True:
            job = await self.jobs.get(job_id)
            if job is None or job.state.terminal:
                return False
            limit = UNITS_PER_LOOK if closed else FIRST_LOOK
            rows = await self.units.of_group(job_id, job.watermark, limit)
            prefix = _closed_prefix(rows, job.watermark)
            closed, facts = together(job, prefix)
            following = await self._following(job, job.watermark + len(closed))
            if not closed and following is None:
                return False
            summing = _summing(job, closed, following is not None)
            made = sum(unit.made for unit in closed)
            charge = await self.usages.charge_results(job.owner, made)
            run = sum(map(_ran, closed)) - _begun(job, closed)
            settled = await self.usages.settle(job.owner, job.month, run)
            figures = await self.figures.counting(job.owner, facts)
            actions = (summing, *charge, *settled, *figures)
            try:
                if following is None:
                    await self.store.transact(*actions)
                else:
                    await self.units.insert([following], *actions)
            except ConditionFailed as error:
                if error.action >= len(actions) - len(figures):
                    self.figures.forget(figures)
                continue
            if following is not None or len(closed) == len(prefix) < limit:
                return following is not None

    async def _following(self, job: Job, watermark: int) -> Unit | None:
        """Make the unit that follows when all others are summed: seal the job, or go on."""
        if watermark < job.units or job.sealing >= job.generation:
            return None
        if not job.expanded and not (job.cancelling and await self._expansion_over(job)):
            return None
        now = await self.store.now()
        kind = "seal" if job.cancelling or job.stage + 1 >= job.stages else "next_stage"
        return pass_unit(job, kind, now)

    async def _expansion_over(self, job: Job) -> bool:
        for kind in ("expand", "gather"):
            unit = await self.units.get(f"{job.id}:{kind}", job.turn)
            if unit is not None and unit.state.open:
                return False
        return True


def _closed_prefix(rows: Sequence[Unit], first: int) -> list[Unit]:
    closed: list[Unit] = []
    for place, unit in enumerate(rows):
        if unit.seq != first + place or unit.state.open:
            break
        closed.append(unit)
    return closed


def _ran(unit: Unit) -> int:
    """Count the items of a closed unit that were run: outcomes taken over were not."""
    return unit.succeeded + unit.failed


def _begun(job: Job, closed: Sequence[Unit]) -> int:
    """Count the items of closed units for which room was taken when the stage began."""
    return min(job.reserved, sum(len(unit.items) for unit in closed))


def _summing(job: Job, closed: Sequence[Unit], complete: bool) -> Update:
    """Make the update that adds closed units to a job's counters."""
    counts = job.counts
    settled = [unit.succeeded + unit.failed + unit.reused for unit in closed]
    undone = sum(
        len(unit.items) - done
        for unit, done in zip(closed, settled, strict=True)
        if unit.state is UnitState.CANCELLED
    )
    total = Counts(
        succeeded=counts.succeeded + sum(unit.succeeded for unit in closed),
        failed=counts.failed + sum(unit.failed for unit in closed),
        reused=counts.reused + sum(unit.reused for unit in closed),
        cancelled=counts.cancelled + undone,
    )
    starts = [time for time in (job.started, *(unit.started for unit in closed)) if time]
    changes: dict[str, Any] = {
        "started": min(starts, default=None),
        "watermark": job.watermark + len(closed),
        "counts": total,
        "spent": job.spent + sum(unit.cost for unit in closed),
        "charged": job.charged + sum(unit.made for unit in closed),
    }
    begun = _begun(job, closed)
    changes["metered"] = job.metering(sum(map(_ran, closed)) - begun)
    changes["reserved"] = job.reserved - begun
    if complete:
        changes["sealing"] = job.generation
    guard = (
        Equals("watermark", job.watermark),
        Equals("generation", job.generation),
        Equals("stage", job.stage),
        Equals("units", job.units),
        Equals("sealing", job.sealing),
        Equals("cancelling", job.cancelling),
    )
    return Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard)
