"""`notify`: announce a fact, once, because its unit is inserted with what it announces.

It fans out: each channel says which units tell whom, one for each recipient, and they are inserted
as the announcement is finished. So each has its own attempts, and none holds up another.

    seal ──▶ notify ──▶ mail (handlers/telling/mail.py), publish, deliver
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.events import TYPES
from mediamill.core.records import Record
from mediamill.engine.announcing import EVENT, job_event
from mediamill.engine.lease import Lease
from mediamill.engine.outcomes import as_ended, outcome_of
from mediamill.store.port import Absent, Put
from mediamill.store.repositories.jobs import Job, Jobs
from mediamill.store.repositories.units import Unit, lane_of

log = structlog.get_logger(__name__)


class Channel(Protocol):
    """A way by which facts go out."""

    async def units(self, notice: Unit, now: int) -> Sequence[Record]:
        """Make the units that tell it, one a recipient, of the class and owner of the notice.

        `notice` is the `notify` unit: of a job's outcome if its payload has `job` and `generation`
        (`outcome_of`), else as who inserted it made it; the event is in it (`event_of`). Rows that
        belong to a unit may be beside it. A repeat gives rows of the same keys.
        """


def notice_of(job: Job, now: int) -> Unit:
    """Make the announcement of the outcome of a job's generation, which ends now."""
    told: dict[str, Any] = {
        "event": f"job.{job.state}",
        "job": job.id,
        "stage": job.stage,
        "generation": job.generation,
        "outcome": msgspec.to_builtins(as_ended(job, now)),
    }
    if told["event"] in TYPES:
        told[EVENT] = job_event(told["event"], job, now)
    return Unit.notice("notify", f"{job.id}:notify", job.generation, job.owner, now=now, **told)


@dataclass
class Notify:
    """Hands a fact to every channel, writes outcomes to the log, and wakes whoever watches."""

    jobs: Jobs
    bell: Doorbell
    channels: Sequence[Channel] = ()

    async def run(self, lease: Lease) -> None:
        now, notice = await self.jobs.store.now(), await self._whole(lease.unit)
        rows = [row for one in self.channels for row in await one.units(notice, now)]
        await self._tell(lease, rows)

    async def _whole(self, notice: Unit) -> Unit:
        """Return an announcement with its event; a job that an earlier version ended has none.

        It is then as the row tells it, unless that is in its next generation already.
        """
        told = notice.payload
        if EVENT in told or "generation" not in told:
            return notice
        job = await self.jobs.get(told["job"])
        if job is None or job.generation != told["generation"]:
            return notice
        outcome = outcome_of(notice, job)
        name, at = f"job.{outcome.state}", outcome.finished
        if name not in TYPES:
            return notice
        event = job_event(name, job.evolve(state=outcome.state, counts=outcome.counts), at)
        return notice.evolve(payload={**told, EVENT: event})

    async def _tell(self, lease: Lease, rows: Sequence[Record]) -> None:
        """Insert what tells it as the announcement is finished, and wake who watches."""
        notice = lease.unit
        units = [row for row in rows if isinstance(row, Unit)]
        inserts = (Put(row, when=(Absent(),)) for row in rows)
        ending = lease.finish if "generation" in notice.payload else lease.vanish
        await ending(*inserts, wake=lane_of(units[0]) if units else None)
        if len(units) > 1:
            await self.bell.ring(f"work:{units[0].klass}")
        if "generation" in notice.payload and (job := await self.jobs.get(notice.payload["job"])):
            await self._announce(job, notice)

    async def _announce(self, job: Job, notice: Unit) -> None:
        outcome = outcome_of(notice, job)
        log.info(
            "job ended",
            action="job_ended",
            state=outcome.state,
            succeeded=outcome.counts.succeeded,
            failed=outcome.counts.failed,
            **{**job.log_context(), "generation": notice.payload["generation"]},
        )
        for channel in (f"job:{job.id}", f"jobs:{job.owner}"):
            await self.bell.ring(channel)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Let those channels tell it that can: one that is broken silences no other."""
        now, notice = await self.jobs.store.now(), await self._whole(lease.unit)
        rows = list[Record]()
        for one in self.channels:
            try:
                rows += await one.units(notice, now)
            except Exception:
                log.exception("untold", action="channel_failed", unit=lease.unit.name)
        await self._tell(lease, rows)
