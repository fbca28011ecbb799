"""`arrived`: make the job of files that came by the stream, from the template of their topic."""

from dataclasses import dataclass
from typing import Protocol

import structlog

from mediamill.core.errors import InvalidInput
from mediamill.engine.lease import Lease
from mediamill.store.port import Delete
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.stream import StreamJob
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)


class Submits(Protocol):
    """What makes such jobs: `services/stream/jobs.py`."""

    async def submit(self, unit: Unit, attempt: int) -> Job | None:
        """Make the job of a unit, once however often; None when none of its files is left."""


@dataclass
class ArrivedHandler:
    """Makes the job and removes the unit."""

    submits: Submits

    async def run(self, lease: Lease) -> None:
        unit = lease.unit
        try:
            job = await self.submits.submit(unit, unit.fence)
        except InvalidInput as error:
            log.warning("no job on arrival", action="arrival_refused", error=error.message,
                        topic=unit.payload["topic"], owner=unit.owner)  # fmt: skip
            job = None
        await self._end(lease, made=job is not None)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Leave the files as they are; the log has the reason."""
        await self._end(lease, made=False)

    async def _end(self, lease: Lease, *, made: bool) -> None:
        job = lease.unit.group.removeprefix("arrived:")
        await lease.vanish(*(() if made else (Delete(StreamJob, (job,)),)))
