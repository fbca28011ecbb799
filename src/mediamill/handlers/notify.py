"""`notify`: announce a job's outcome, once, because its unit is inserted with the outcome."""

from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.engine.lease import Lease
from mediamill.store.repositories.jobs import Jobs

log = structlog.get_logger(__name__)


@dataclass
class Notify:
    """Writes the outcome to the log and wakes whoever watches the job."""

    jobs: Jobs
    bell: Doorbell

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.get(lease.unit.payload["job"])
        await lease.finish()
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
