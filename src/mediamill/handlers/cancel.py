"""`cancel`: close every open unit of a job, so that late writes fail by their fence."""

from dataclasses import dataclass

from mediamill.engine.lease import Lease
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.units import Units


@dataclass
class Cancel:
    """Walks the job's units; beginning again is harmless, so it needs no checkpoint."""

    jobs: Jobs
    units: Units

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        expansion = await self.units.of_group(f"{job.id}:expand")
        for unit in expansion:
            if unit.state.open:
                await self.units.cancel(unit)
        async for unit in self.units.walk_group(job.id, job.watermark):
            if unit.state.open:
                await self.units.cancel(unit)
        await lease.finish()

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again for ever: a cancellation must not be forgotten."""
        await lease.release(60_000, str(error))
