"""The trash of jobs: a deleted job is hidden at once, and can be brought back for a day.

Its results hide and come back with it. Of a job deleted twice only the last deletion counts: the
purge names the time of the deletion it belongs to, and takes the job out of the trash first.
"""

from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.services.access import Access
from mediamill.services.jobs.service import JobService
from mediamill.store.port import Equals, Page, Update
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

UNDO_MS = DAY
"""How long a deleted job can be brought back."""


@dataclass
class JobTrash:
    """Deletes jobs, lists what was deleted, and brings it back."""

    access: Access
    jobs: JobService
    units: Units
    bell: Doorbell

    async def list(self, principal: Principal, after: str | None, limit: int) -> Page[Job]:
        """List the caller's deleted jobs that can be restored, the last deleted first."""
        return await self.jobs.jobs.trashed(principal.user, after, limit)

    async def delete(self, principal: Principal, job_id: str, *, now: bool = False) -> None:
        """Cancel a job and hide it at once; its results go a day later, or `now`.

        With `now` also a job that is in the trash. Raises `NotFound`.
        """
        while True:
            job = await self.access.load(principal, Job, job_id, Right.OWN, hidden=now)
            if job.purged:  # it must not come back
                raise NotFound(f"There is no job {job_id}.")
            if not job.hidden:
                with suppress(Conflict, NotFound):  # it has ended, or somebody deletes it just now
                    await self.jobs.cancel(principal, job_id)
            if await self._hide(job, now=now) or not now:  # who hid it just now is as good
                break
        note("job_deleted", job.id, owner=job.owner, now=now)
        await self._ring(job)

    async def restore(self, principal: Principal, job_id: str) -> Job:
        """Bring a deleted job back as it was left; one that is not deleted is left alone.

        Raises `NotFound`, and `Conflict` once its results are being removed.
        """
        job = await self.access.load(principal, Job, job_id, Right.OWN, hidden=True)
        if job.hidden:
            back = {"deleted": None, "listed": job.owner, "trash": None}
            same = (Equals("deleted", job.deleted), Equals("trash", job.owner))
            try:
                await self.jobs.jobs.store.transact(
                    Update(Job, (job.id,), set=back, add={"revision": 1}, when=same)
                )
            except ConditionFailed:
                message = "The job’s results are being removed: it cannot be brought back."
                raise Conflict(message, state="purging") from None
            note("job_restored", job.id, owner=job.owner)
            await self._ring(job)
        return await self.jobs.get(principal, job_id)

    async def _hide(self, job: Job, *, now: bool) -> bool:
        """Hide a job, with the unit that will remove it; False when it changed meanwhile."""
        time = await self.jobs.jobs.store.now()
        deleted = time if job.deleted is None else job.deleted
        gone = {"deleted": deleted, "listed": None, "trash": job.owner}
        same = (Equals("deleted", job.deleted), Equals("trash", job.trash))
        hiding = Update(Job, (job.id,), set=gone, add={"revision": 1}, when=same)
        try:
            unit = _purge(job, deleted, time, time if now else time + UNDO_MS)
            await self.units.insert([unit], hiding)
        except ConditionFailed:
            return False
        return True

    async def _ring(self, job: Job) -> None:
        for channel in ("work:housekeeping", f"job:{job.id}", f"jobs:{job.owner}"):
            await self.bell.ring(channel)


def _purge(job: Job, deleted: int, now: int, due: int) -> Unit:
    """Make the unit that removes a job for good."""
    group, seq = f"purge:{job.id}", job.revision + 1
    payload = {"purge": job.id, "deleted": deleted}
    return Unit.chore("purge_job", group, seq, job.owner, cost=0.5, now=now, due=due, **payload)
