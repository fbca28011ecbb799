"""`purge_file`, `purge_job`: remove what was deleted, bytes first, rows last.

The rows are what finds the bytes, so a purge that is cut short is simply begun again.
"""

from dataclasses import dataclass

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.ids import encode
from mediamill.engine.lease import Lease
from mediamill.store.port import MAX_ACTIONS, Action, Delete, Store, key_index
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.jobs import Job, Jobs, ManifestPage
from mediamill.store.repositories.results import Result, Results
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

LOOK_AGAIN_MS = 30_000


def last_job_at(time: int) -> str:
    """Return an id that sorts after every job accepted up to a time (ms)."""
    return f"job_{encode((time + 1) << 80)}"


@dataclass
class PurgeFile:
    """Removes a trashed file, once the jobs accepted before its deletion have ended."""

    store: Store
    files: Files
    jobs: Jobs
    blobs: Blobs

    async def run(self, lease: Lease) -> None:
        file = await self.files.get(lease.unit.payload["file"])
        if file is None or not file.hidden or file.trashed is None:
            await lease.finish()
            return
        if await self.jobs.running_of(file.owner, before=last_job_at(file.trashed)):
            await lease.release(LOOK_AGAIN_MS)
            return
        await self.blobs.delete(file.blob)
        if file.thumbnail:
            await self.blobs.delete(file.thumbnail)
        drawing = Delete(Unit, (f"thumbnail:{file.id}", 0))
        await lease.finish(Delete(File, (file.id,)), drawing)
        log.info("file purged", action="file_purged", size=file.size, **file.log_context())

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))


@dataclass
class PurgeJob:
    """Removes a deleted job: result bytes, layouts, manifests, rows, then its units."""

    store: Store
    jobs: Jobs
    results: Results
    units: Units
    blobs: Blobs

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.get(lease.unit.payload["purge"])
        if job is None:
            await lease.finish()
            return
        if not job.state.terminal or await self._still_read(job):
            await lease.release(LOOK_AGAIN_MS // 30)
            return
        for prefix in ("results", "layouts", "manifests"):
            async for blob in self.blobs.list(f"{prefix}/{job.id}/"):
                await self.blobs.delete(blob.key)
        await self._rows(job)
        await lease.finish(Delete(Job, (job.id,)))
        log.info("job purged", action="job_purged", items=job.items, **job.log_context())

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))

    async def _still_read(self, job: Job) -> bool:
        """Tell whether a job accepted before the deletion may still read the results."""
        return await self.jobs.running_of(job.owner, before=last_job_at(job.deleted or 0))

    async def _rows(self, job: Job) -> None:
        for stage in range(job.stages):
            while rows := (await self.results.of_stage(job.id, stage, limit=MAX_ACTIONS)).rows:
                await self._delete([Delete(Result, row.key_values()) for row in rows])
        pages = key_index(ManifestPage)
        while found := (await self.store.query(ManifestPage, pages, job.id)).rows:
            await self._delete([Delete(ManifestPage, page.key_values()) for page in found])
        kinds = ("expand", "next_stage", "cancel", "seal", "notify")
        for group in (job.id, *(f"{job.id}:{kind}" for kind in kinds)):
            while units := await self.units.of_group(group, limit=MAX_ACTIONS):
                await self._delete([Delete(Unit, unit.key_values()) for unit in units])

    async def _delete(self, actions: list[Action]) -> None:
        await self.store.transact(*actions)
