"""`expand`: turn a stage's inputs, or the failed items of a generation, into units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.errors import ConditionFailed
from mediamill.engine.expand import UNITS_PER_STEP, pieces
from mediamill.engine.lease import Lease
from mediamill.engine.stages import Piece, cancellation, item_units, pack, split
from mediamill.operations.catalogue import Catalogue
from mediamill.store.port import Absent, Action, Equals, Put, Update
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Entry, Job, Jobs, JobState, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Results
from mediamill.store.repositories.units import lane_of

log = structlog.get_logger(__name__)


@dataclass
class Expand:
    """Walks from the checkpoint in the unit's payload: `next` is the first item not in a unit."""

    jobs: Jobs
    manifests: Manifests
    results: Results
    lookup: FileLookup
    bell: Doorbell
    catalogue: Catalogue

    async def run(self, lease: Lease) -> None:
        payload = lease.unit.payload
        job = await self.jobs.need(payload["job"])
        while not job.cancelling and not payload.get("over"):
            items = await self._next_items(job, payload)
            await self._insert(lease, job, items)
            await self.bell.ring(f"work:{job.klass}")
            job = await self.jobs.need(job.id)
            payload = lease.unit.payload
        await self._finish(lease, job)
        log.info("job expanded", action="job_expanded", units=job.units, **job.log_context())

    async def _finish(self, lease: Lease, job: Job) -> None:
        """Note that all items are in units; a cancellation that came meanwhile stays one."""
        while True:
            state = JobState.CANCELLING if job.cancelling else JobState.RUNNING
            changes = {"expanded": True, "state": state}
            guard = (Equals("cancelling", job.cancelling),)
            done = Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard)
            try:
                await lease.finish(done)
            except ConditionFailed:
                job = await self.jobs.need(job.id)
            else:
                return

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Cancel the job: what is in units already is not begun."""
        job = await self.jobs.need(lease.unit.payload["job"])
        text = f"The inputs could not be listed: {error}"[:500]
        stopping = {"cancelling": True, "error": text, "state": JobState.CANCELLING}
        unit = cancellation(job, await self.jobs.store.now())
        change = Update(Job, (job.id,), set=stopping, add={"revision": 1})
        await lease.finish(change, Put(unit), wake=lane_of(unit))
        await self.bell.ring(f"work:{job.klass}")

    async def _next_items(self, job: Job, payload: dict[str, Any]) -> list[tuple[int, Entry]]:
        """Read the next page of inputs from the checkpoint on."""
        start = int(payload.get("next", 0))
        if payload.get("only") == "failed":
            return await self._failed_items(job, start)
        if start >= job.items:
            return []
        page = start // PAGE_ENTRIES
        entries = await self.manifests.entries(job.id, job.stage, page)
        first = page * PAGE_ENTRIES
        return [(first + place, entry) for place, entry in enumerate(entries)][start - first :]

    async def _failed_items(self, job: Job, start: int) -> list[tuple[int, Entry]]:
        """Find failed items of earlier generations from index `start` on."""
        found: list[tuple[int, Entry]] = []
        after: str | None = None
        while len(found) < PAGE_ENTRIES:
            page = await self.results.with_outcome(job.id, ItemOutcome.FAILED, after, limit=1000)
            found += [
                (row.item, Entry(row.input, row.name))
                for row in page.rows
                if row.stage == job.stage and row.item >= start and row.generation < job.generation
            ]
            after = page.after
            if after is None:
                break
        return found[:PAGE_ENTRIES]

    async def _insert(self, lease: Lease, job: Job, items: Sequence[tuple[int, Entry]]) -> None:
        """Insert the units of some items and move the checkpoint, in one transaction."""
        steps = split(self.catalogue.build_all(job.steps))[job.stage].steps
        packed = pack(await self._pieces(items, steps))
        chosen = packed[:UNITS_PER_STEP]
        taken = sum(len(unit) for unit in chosen)
        position = items[taken - 1][0] + 1 if taken else lease.unit.payload.get("next", 0)
        over = not items or position >= job.items
        checkpoint = {**lease.unit.payload, "next": position, "over": over}
        now = await self.jobs.store.now()
        units = item_units(job, chosen, job.units, now)
        actions: list[Action] = [Put(unit, when=(Absent(),)) for unit in units]
        growth = {"units": len(units), "cost": sum(unit.cost for unit in units), "revision": 1}
        guard = (Equals("units", job.units), Equals("generation", job.generation))
        actions.append(Update(Job, (job.id,), add=growth, when=guard))
        wake = (job.klass, job.owner) if units else None
        await lease.write(*actions, wake=wake, payload=checkpoint)

    async def _pieces(
        self, items: Sequence[tuple[int, Entry]], steps: Sequence[Any]
    ) -> list[Piece]:
        files = await self.lookup.get_many([entry.file for _, entry in items])
        return [
            piece
            for (item, entry), file in zip(items, files, strict=True)
            for piece in pieces(item, [entry], [file], steps)
        ]
