"""`next_stage`: what one stage made becomes the input list of the next."""

from dataclasses import dataclass

from mediamill.adapters.brokers.port import Doorbell
from mediamill.engine.lease import Lease
from mediamill.engine.stages import pass_unit
from mediamill.store.port import Equals, Put, Update
from mediamill.store.repositories.jobs import (
    PAGE_ENTRIES,
    Counts,
    Entry,
    Job,
    Jobs,
    JobState,
    Manifests,
)
from mediamill.store.repositories.results import Results
from mediamill.store.repositories.units import lane_of


@dataclass
class NextStage:
    """Seals a stage's results as a manifest and begins the expansion of the next stage.

    The walk writes the same pages whenever it is begun again; the job moves on in one transaction.
    """

    jobs: Jobs
    manifests: Manifests
    results: Results
    bell: Doorbell

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        items = await self._write_manifest(lease, job)
        now = await self.jobs.store.now()
        moved = job.evolve(stage=job.stage + 1)
        unit = pass_unit(moved, "expand", now)
        changes = {
            "stage": moved.stage,
            "state": JobState.EXPANDING,
            "items": items,
            "counts": Counts(),
            "failed_earlier": job.failed_earlier + job.counts.failed,
            "expanded": False,
            "sealing": job.generation - 1,
        }
        guard = (
            Equals("stage", job.stage),
            Equals("generation", job.generation),
            Equals("cancelling", job.cancelling),
        )
        await lease.finish(
            Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard),
            Put(unit),
            wake=lane_of(unit),
        )
        await self.bell.ring(f"work:{job.klass}")

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """End the job: without a list of inputs the next stage cannot begin."""
        job = await self.jobs.need(lease.unit.payload["job"])
        text = f"The next stage could not begin: {error}"[:500]
        stopping = {"cancelling": True, "error": text, "sealing": job.generation - 1}
        await lease.finish(Update(Job, (job.id,), set=stopping, add={"revision": 1}))

    async def _write_manifest(self, lease: Lease, job: Job) -> int:
        """Write every result file of the stage as an entry; return how many there are."""
        page, waiting = 0, list[Entry]()
        async for result in self.results.walk_stage(job.id, job.stage):
            waiting += [Entry(result.file_id(n), f.name) for n, f in enumerate(result.files)]
            while len(waiting) >= PAGE_ENTRIES:
                await self._page(lease, job, page, waiting[:PAGE_ENTRIES])
                page, waiting = page + 1, waiting[PAGE_ENTRIES:]
        await self._page(lease, job, page, waiting)
        return page * PAGE_ENTRIES + len(waiting)

    async def _page(self, lease: Lease, job: Job, page: int, entries: list[Entry]) -> None:
        await lease.write(await self.manifests.page(job.id, job.stage + 1, page, entries))
