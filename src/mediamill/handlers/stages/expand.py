"""`expand`: turn a stage's inputs, or those that a retry runs again, into units.

A retry of failed items reads the index of failed results, from a cursor in the checkpoint; one of
cancelled items, the later stages of any, and a retry so soon that the index may lack some, look at
each input's outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.errors import ConditionFailed
from mediamill.engine.expand import UNITS_PER_STEP, piece
from mediamill.engine.lease import Lease
from mediamill.engine.stages import (
    Piece,
    cancellation,
    item_units,
    klass_of,
    pack,
    split,
    to_come,
)
from mediamill.operations.catalogue import Catalogue
from mediamill.store.port import Absent, Action, Equals, Put, Update, unsettled
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Entry, Job, Jobs, JobState, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result, Results
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
            payload = {**payload}
            items = await self._next_items(job, payload, lease.unit.created)
            await self._insert(lease, job, items, payload)
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

    async def _next_items(
        self, job: Job, payload: dict[str, Any], asked: int
    ) -> list[tuple[int, Entry]]:
        """Read the next page of inputs from the checkpoint on, of a pass asked for at a time."""
        start, only = int(payload.get("next", 0)), payload.get("only")
        if only == "failed" and not await unsettled(self.jobs.store, asked):
            return await self._failed_items(job, start, payload)
        while start < job.items:
            page = start // PAGE_ENTRIES
            entries = await self.manifests.entries(job.id, job.stage, page)
            first = page * PAGE_ENTRIES
            items = [(first + place, entry) for place, entry in enumerate(entries)]
            items = items[start - first : job.items - first]
            if only:
                items = await self._open_items(job, items, only)
            if items:
                return items
            start = first + PAGE_ENTRIES
        return []

    async def _open_items(
        self, job: Job, items: Sequence[tuple[int, Entry]], only: str
    ) -> list[tuple[int, Entry]]:
        """Return those inputs that the retry runs: failed earlier, or without an outcome."""
        rows: list[Result | None] = []
        for begin in range(0, len(items), 100):
            keys = [(job.id, job.stage, item) for item, _ in items[begin : begin + 100]]
            rows += await self.results.store.get_many(Result, keys)
        return [
            item
            for item, row in zip(items, rows, strict=True)
            if _open(job, row) and (row is not None or only != "failed")
        ]

    async def _failed_items(
        self, job: Job, start: int, payload: dict[str, Any]
    ) -> list[tuple[int, Entry]]:
        """Find failed items of earlier generations from index `start` on.

        `payload["after"]` becomes the cursor of the page that holds them.
        """
        failed, cursor = ItemOutcome.FAILED, payload.get("after")
        while True:
            page = await self.results.with_outcome(job.id, failed, cursor, limit=PAGE_ENTRIES)
            found = [
                row.item
                for row in page.rows
                if row.stage == job.stage and row.item >= start and _open(job, row)
            ]
            payload["after"] = cursor
            if found:
                entries = await self.manifests.at(job.id, job.stage, found)
                return [(item, entries[item]) for item in found]
            if page.after is None:
                return []
            cursor = page.after

    async def _insert(
        self,
        lease: Lease,
        job: Job,
        items: Sequence[tuple[int, Entry]],
        payload: dict[str, Any],
    ) -> None:
        """Insert the units of some items and move the checkpoint, in one transaction."""
        stage = split(self.catalogue.build_all(job.steps))[job.stage]
        pieces = await self._pieces(items, stage.steps)
        packed = pack(pieces, _following(job, pieces))
        chosen = packed[:UNITS_PER_STEP]
        taken = sum(len(unit) for unit in chosen)
        position = items[taken - 1][0] + 1 if taken else payload.get("next", 0)
        over = not items or position >= job.items
        checkpoint = {**payload, "next": position, "over": over}
        now = await self.jobs.store.now()
        units = item_units(job, stage, chosen, job.units, now)
        actions: list[Action] = [Put(unit, when=(Absent(),)) for unit in units]
        cost = sum(unit.cost for unit in units)
        growth = {"units": len(units), "cost": cost, "revision": 1}
        guard = (Equals("units", job.units), Equals("generation", job.generation))
        planned = self._planned(job, cost)
        actions.append(Update(Job, (job.id,), set=planned, add=growth, when=guard))
        klass = klass_of(job, stage)
        wake = (klass, job.owner) if units else None
        await lease.write(*actions, wake=wake, payload=checkpoint)
        await self.bell.ring(f"work:{klass}")

    def _planned(self, job: Job, cost: float) -> dict[str, Any]:
        """Return the change of what stages to come will take, now that so much more is in units.

        What the first stage takes tells it; what later ones take comes off it.
        """
        if job.stage:
            return {"planned": max(0.0, job.planned - cost)}
        if job.stages == 1 or not job.inputs:
            return {}
        stages = split(self.catalogue.build_all(job.steps))
        return {"planned": to_come(stages, 0, job.cost + cost, job.items)}

    async def _pieces(
        self, items: Sequence[tuple[int, Entry]], steps: Sequence[Any]
    ) -> list[Piece]:
        unknown = [entry.file for _, entry in items if entry.weight is None]
        found = await self.lookup.get_many(unknown) if unknown else []
        files = {file.id: file for file in found if file is not None}
        return [piece(item, entry, files.get(entry.file), steps) for item, entry in items]


def _following(job: Job, pieces: Sequence[Piece]) -> float:
    """Estimate the seconds of the items after some, by what these take."""
    if not pieces:
        return 0.0
    rest = max(0, job.items - 1 - pieces[-1].item)
    return rest * sum(piece.cost for piece in pieces) / len(pieces)


def _open(job: Job, row: Result | None) -> bool:
    """Tell whether an input is still to be run in the job's generation."""
    if row is None or row.expired:
        return row is None
    failed = row.outcome is ItemOutcome.FAILED and row.generation < job.generation
    return failed and job.rerun != "cancelled"
