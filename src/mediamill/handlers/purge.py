"""`purge_file`, `purge_job`: remove what was deleted, bytes first, rows last.

The rows are what finds the bytes, so a purge that is cut short is simply begun again. It begins
when listings show all that was written before the deletion.
"""

from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed
from mediamill.engine.announcing import Announcer
from mediamill.engine.lease import Lease
from mediamill.store.port import (
    MAX_ACTIONS,
    Absent,
    Action,
    Delete,
    Equals,
    Put,
    Store,
    Update,
    key_index,
    unsettled,
)
from mediamill.store.repositories.files import File, Files, FileState, FileTag, tag_rows
from mediamill.store.repositories.jobs import Job, Jobs, ManifestPage
from mediamill.store.repositories.projects import Projects
from mediamill.store.repositories.results import Result, Results
from mediamill.store.repositories.reuse import Reuse, Reuses
from mediamill.store.repositories.stream import StreamJob
from mediamill.store.repositories.units import Unit, Units, lane_of
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.versions import Versions

log = structlog.get_logger(__name__)

LOOK_AGAIN_MS = 30_000


@dataclass
class PurgeFile:
    """Removes a trashed or rejected file, once the jobs accepted before that have ended.

    Only the unit that the row names in `doomed` may: a file that was brought back names none. From
    the first step on, it cannot be brought back any more.
    """

    store: Store
    files: Files
    jobs: Jobs
    blobs: Blobs
    announcer: Announcer

    async def run(self, lease: Lease) -> None:
        file = await self.files.get(lease.unit.payload["file"])
        if file is None or file.doomed != lease.unit.seq:
            await lease.vanish()
            return
        gone = file.trashed or file.created
        if left := await unsettled(self.store, gone):
            await lease.release(left)
            return
        if await self.jobs.running_of(file.owner, until=gone):
            await lease.release(LOOK_AGAIN_MS)
            return
        named = Equals("doomed", lease.unit.seq)
        closing = {"listed": None, "trash": None, "state": FileState.TRASHED}
        close = Update(File, (file.id,), set=closing, add={"revision": 1}, when=(named,))
        await lease.write(close)
        if (file := await self.files.get(file.id)) is None:  # as it stays from now on
            await lease.vanish()
            return
        for blob in (file.blob, *await Versions(self.store).blobs(file.id)):
            await self.blobs.delete(blob)
        if file.thumbnail:
            await self.blobs.delete(file.thumbnail)
        await self._finish(lease, file)
        log.info("file purged", action="file_purged", size=file.size, **file.log_context())

    async def _finish(self, lease: Lease, file: File) -> None:
        """Remove the row and all that finds it."""
        tags = [Delete(FileTag, row.key_values()) for row in tag_rows(file)]
        units = [Delete(Unit, (f"{kind}:{file.id}", 0)) for kind in ("thumbnail", "fetch")]
        if file.source == "import":
            async for part in self.blobs.list(f"imports/{file.id}/"):
                await self.blobs.delete(part.key)
        await Projects(self.store).forget_file(file.id)
        released = await Usages(self.store).charge(file.owner, -file.charged)
        told = await self.announcer.of_files("file.purged", [file], await self.store.now())
        gone: list[Action] = [Delete(File, (file.id,)), *units, *tags, *released]
        wake = lane_of(told[0]) if told else None
        await lease.vanish(*gone, *(Put(unit, when=(Absent(),)) for unit in told), wake=wake)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))


@dataclass
class PurgeJob:
    """Removes a deleted job: result bytes, layouts, manifests, rows, then its units.

    Only for the deletion that its unit names: the job may have been brought back since. Before the
    first step the job leaves the trash, from where it could be brought back.
    """

    store: Store
    jobs: Jobs
    results: Results
    units: Units
    blobs: Blobs

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.get(lease.unit.payload["purge"])
        if job is None or not job.hidden or job.deleted != self._deletion(lease, job):
            await lease.vanish()
            return
        if left := await unsettled(self.store, max(job.deleted or 0, job.finished or 0)):
            await lease.release(left)
            return
        if not job.state.terminal or await self._still_read(job) or await self._untold(job):
            await lease.release(LOOK_AGAIN_MS // 30)
            return
        still = (Equals("deleted", job.deleted), Equals("trash", job.trash))
        try:
            await lease.write(Update(Job, (job.id,), set={"trash": None}, when=still))
        except ConditionFailed:  # brought back at this moment
            await lease.release()
            return
        for prefix in ("results", "layouts", "manifests"):
            async for blob in self.blobs.list(f"{prefix}/{job.id}/"):
                await self.blobs.delete(blob.key)
        await Projects(self.store).forget_job(job.id)
        await self._rows(job)
        released = await Usages(self.store).charge_results(job.owner, -job.charged)
        rows = (Delete(Job, (job.id,)), Delete(StreamJob, (job.id,)))
        await lease.vanish(*rows, *released)
        log.info("job purged", action="job_purged", items=job.items, **job.log_context())

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))

    def _deletion(self, lease: Lease, job: Job) -> int | None:
        """Return the time of the deletion that a unit belongs to (ms)."""
        deleted: int | None = lease.unit.payload.get("deleted", job.deleted)
        return deleted

    async def _untold(self, job: Job) -> bool:
        """Tell whether an end of the job is still to be announced: it would be lost."""
        return any(unit.state.open for unit in await self.units.of_group(f"{job.id}:notify"))

    async def _still_read(self, job: Job) -> bool:
        """Tell whether a job accepted before the deletion may still read the results."""
        return await self.jobs.running_of(job.owner, until=job.deleted or 0)

    async def _rows(self, job: Job) -> None:
        for stage in range(job.stages):
            while rows := (await self.results.of_stage(job.id, stage, limit=MAX_ACTIONS)).rows:
                await self._delete([Delete(Result, row.key_values()) for row in rows])
        pages = key_index(ManifestPage)
        while found := (await self.store.query(ManifestPage, pages, job.id)).rows:
            await self._delete([Delete(ManifestPage, page.key_values()) for page in found])
        while reuse := await Reuses(self.store).of_job(job.id):
            await self._forget([Delete(Reuse, row.key_values(), _names(row)) for row in reuse])
        kinds = ("gather", "expand", "next_stage", "cancel", "seal", "notify", "mail", "announce")
        for group in (job.id, *(f"{job.id}:{kind}" for kind in kinds)):
            while units := await self.units.of_group(group, limit=MAX_ACTIONS):
                await self._delete([Delete(Unit, unit.key_values()) for unit in units])

    async def _forget(self, actions: list[Action]) -> None:
        """Remove reuse rows; one that a newer job took over meanwhile is found no more here."""
        with suppress(ConditionFailed):
            await self.store.transact(*actions)

    async def _delete(self, actions: list[Action]) -> None:
        await self.store.transact(*actions)


def _names(row: Reuse) -> tuple[Equals, ...]:
    """Return the guard that a reuse row still points where it did."""
    return (Equals("job", row.job),)
