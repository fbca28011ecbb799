"""`arrived`: make the job of files that came by the stream, from the template of their topic."""

from dataclasses import dataclass
from typing import Protocol

import structlog

from mediamill.core.clock import DAY, MINUTE, SECOND
from mediamill.core.errors import MediamillError
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.handlers.telling.announce import refusal
from mediamill.store.port import Delete, Put, Store
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.stream import StreamJob
from mediamill.store.repositories.units import Unit, lane_of

log = structlog.get_logger(__name__)


class Submits(Protocol):
    """What makes such jobs: `services/stream/jobs.py`."""

    async def submit(self, unit: Unit, attempt: int) -> Job | None:
        """Make the job of a unit, once however often; None when none of its files is left."""


@dataclass
class ArrivedHandler:
    """Makes the job and removes the unit."""

    submits: Submits
    store: Store
    policy = RetryPolicy(base_ms=SECOND, cap_ms=10 * MINUTE, lasting_ms=3 * DAY)
    """As long as a customer may have no room for results."""

    async def run(self, lease: Lease) -> None:
        job = await self.submits.submit(lease.unit, lease.unit.fence)
        await lease.vanish(*(() if job else (Delete(StreamJob, (_job(lease.unit),)),)))

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Leave the files as they are; who waits for the outcomes is told the reason."""
        unit, told = lease.unit, error
        if not isinstance(told, MediamillError):
            told = MediamillError(f"The job could not be made: {type(error).__name__}.")
        log.warning("no job on arrival", action="arrival_refused", error=str(error),
                    topic=unit.payload["topic"], owner=unit.owner)  # fmt: skip
        if await self.store.get(StreamJob, _job(unit)) is None:
            await lease.vanish()
            return
        notice = refusal(_job(unit), unit, told, await self.store.now())
        await lease.vanish(Put(notice), wake=lane_of(notice))


def _job(unit: Unit) -> str:
    """Return the id that the unit's job has, or would have had."""
    return unit.group.removeprefix("arrived:")
