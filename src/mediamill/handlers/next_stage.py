"""`next_stage`: what one stage made becomes the input list of the next.

Each picture of a frame archive is an input of its own, by its place in the archive; every other
file is one. After a retry only what is new is added, behind the inputs that are listed already, so
items keep their index and their outcome (ADR 0011).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mediamill.adapters.brokers.port import Doorbell
from mediamill.engine.gathering.members import entry_of
from mediamill.engine.lease import Lease
from mediamill.engine.members import flattened, list_members
from mediamill.engine.stages import pass_unit
from mediamill.media.archive.names import with_suffix
from mediamill.store.port import Equals, Put, Update
from mediamill.store.repositories.jobs import (
    PAGE_ENTRIES,
    Counts,
    Entry,
    Job,
    Jobs,
    JobState,
    Manifests,
    Tally,
)
from mediamill.store.repositories.results import Result, Results
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
    scratch: Path

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        tallies, moved = job.noted(), job.evolve(stage=job.stage + 1)
        known = tallies[moved.stage] if moved.stage < len(tallies) else Tally()
        items = await self._write_manifest(lease, job, known)
        again = {"only": "open"} if known.fed else {}
        unit = pass_unit(moved, "expand", await self.jobs.store.now(), **again)
        entered = Tally(items=items, counts=_standing(known.counts, job.rerun), fed=job.generation)
        changes = {
            "stage": moved.stage,
            "state": JobState.EXPANDING,
            "items": items,
            "counts": entered.counts,
            "tallies": (*tallies[: moved.stage], entered, *tallies[moved.stage + 1 :]),
            "failed_earlier": job.failed_earlier + job.counts.failed + job.counts.cancelled,
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

    async def _write_manifest(self, lease: Lease, job: Job, known: Tally) -> int:
        """Add every result that is not listed yet; return how many inputs there are then."""
        stage = job.stage + 1
        page, waiting = known.items // PAGE_ENTRIES, list[Entry]()
        if kept := known.items % PAGE_ENTRIES:
            waiting = (await self.manifests.entries(job.id, stage, page))[:kept]
        async for entry in self._new_entries(job, known.fed):
            waiting.append(entry)
            if len(waiting) >= PAGE_ENTRIES:
                await self._page(lease, job, page, waiting)
                page, waiting = page + 1, []
        await self._page(lease, job, page, waiting)
        return page * PAGE_ENTRIES + len(waiting)

    async def _new_entries(self, job: Job, fed: int) -> AsyncIterator[Entry]:
        """Yield what results of later generations than `fed` made."""
        async for result in self.results.walk_stage(job.id, job.stage):
            if result.generation <= fed:
                continue
            for n, file in enumerate(result.files):
                file_id = result.file_id(n)
                if not flattened(file):
                    yield Entry(file_id, file.name)
                    continue
                for member in await list_members(self.manifests.blobs, file, self.scratch):
                    if member.name != "frames.jsonl":
                        yield entry_of(file_id, member, _frame_name(result, member.name))

    async def _page(self, lease: Lease, job: Job, page: int, entries: list[Entry]) -> None:
        fence = lease.unit.fence
        put = await self.manifests.page(job.id, job.stage + 1, page, entries, fence=fence)
        await lease.write(put)


def _frame_name(result: Result, member: str) -> str:
    """Name a frame after its video too, so that frames of several keep apart."""
    return with_suffix(result.name, f"-{member}")


def _standing(counts: Counts, rerun: str) -> Counts:
    """Return what stands of a stage's outcomes when a retry comes to it."""
    failed = counts.failed if rerun == "cancelled" else 0
    return msgspec.structs.replace(counts, failed=failed, cancelled=0)
