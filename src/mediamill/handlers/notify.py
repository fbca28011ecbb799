"""`notify`: announce a job's outcome, once, because its unit is inserted with the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.records import Record
from mediamill.engine.lease import Lease
from mediamill.store.port import Absent, Put
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.units import Unit, lane_of

log = structlog.get_logger(__name__)


class Channel(Protocol):
    """A way by which facts go out."""

    async def units(self, notice: Unit, now: int) -> Sequence[Record]:
        """Make the units that tell it, of the class and owner of the notice."""


@dataclass
class Notify:
    """Writes the outcome to the log and wakes whoever watches the job."""

    jobs: Jobs
    bell: Doorbell
    channels: Sequence[Channel] = ()

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.get(lease.unit.payload["job"])
        now = await self.jobs.store.now()
        rows = [row for one in self.channels for row in await one.units(lease.unit, now)]
        units = [row for row in rows if isinstance(row, Unit)]
        inserts = (Put(row, when=(Absent(),)) for row in rows)
        await lease.finish(*inserts, wake=lane_of(units[0]) if units else None)
        if job is not None:
            log.info(
                "job ended",
                action="job_ended",
                state=job.state,
                succeeded=job.counts.succeeded,
                failed=job.counts.failed,
                **job.log_context(),
            )
            for channel in (f"job:{job.id}", f"jobs:{job.owner}"):
                await self.bell.ring(channel)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Close the announcement; the job's state itself stands."""
        await lease.finish(error=str(error)[:500])
