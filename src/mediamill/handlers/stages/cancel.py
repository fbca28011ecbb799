"""`cancel`: close every open unit of a job, so that late writes fail by their fence."""

from dataclasses import dataclass

from mediamill.engine.lease import Lease
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.units import Unit, Units


@dataclass
class Cancel:
    """Walks the units of its own generation; beginning again needs no checkpoint.

    The job may have ended and been opened again meanwhile: that generation is none of its business.
    """

    jobs: Jobs
    units: Units

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        generation = lease.unit.payload["generation"]
        groups = ((f"{job.id}:gather", 0), (f"{job.id}:expand", 0), (job.id, job.watermark))
        for group, first in groups:
            async for unit in self.units.walk_group(group, first):
                await self._close(unit, generation)
        await lease.finish()

    async def _close(self, unit: Unit, generation: int) -> None:
        """Cancel a unit, again when somebody claims or releases it at the same moment."""
        current: Unit | None = unit
        while current and current.state.open and current.payload["generation"] == generation:
            if await self.units.cancel(current):
                return
            current = await self.units.get(unit.group, unit.seq)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again for ever: a cancellation must not be forgotten."""
        await lease.release(60_000, str(error))
