"""`next_stage`: what one stage made becomes the input list of the next.

Each picture of a frame archive is an input of its own, by its place in the archive; every other
file is one. After a retry only what is new is added, behind the inputs that are listed already, so
items keep their index and their outcome (ADR 0011).

Around a survey it is otherwise (`engine/stages.py`): a reduction has one input, all that was
measured; and what runs after it has the inputs of the measuring, as far as those went well. What
was agreed stays with the job, whatever is retried; a report is made anew of all there is by then.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.errors import QuotaExceeded
from mediamill.engine.lease import Lease
from mediamill.engine.stages import Stage, StageKind, pass_unit, split
from mediamill.handlers.stages.feeding import Feeding, Listed
from mediamill.operations.catalogue import Catalogue
from mediamill.store.port import Action, Delete, Equals, Put, Update
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
from mediamill.store.repositories.results import ItemOutcome, Result, Results
from mediamill.store.repositories.spending import month_of
from mediamill.store.repositories.units import lane_of
from mediamill.store.repositories.usage import Usages


@dataclass
class Fed:
    """The inputs of the next stage: how many there are, and what else goes with moving on."""

    items: int
    changes: dict[str, Any] = field(default_factory=dict)
    actions: Sequence[Action] = ()
    whole: bool = True
    """Whether all that there is to list is listed; else a later pass lists it again."""
    anew: bool = False
    """Whether outcomes that stand are made again."""


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
    catalogue: Catalogue
    usages: Usages

    async def run(self, lease: Lease) -> None:
        try:
            await self._move_on(lease)
        except QuotaExceeded as full:  # waiting would not help
            await self.give_up(lease, full)

    async def _move_on(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        tallies, moved = job.noted(), job.evolve(stage=job.stage + 1)
        known = tallies[moved.stage] if moved.stage < len(tallies) else Tally()
        fed = await self._feed(lease, job, known)
        again, now = {"only": "open"} if known.fed else {}, await self.jobs.store.now()
        unit, month = pass_unit(moved, "expand", now, **again), month_of(now)
        counts = Counts() if fed.anew else _standing(known.counts, job.rerun)
        to_run = fed.items - counts.settled
        listed = job.generation if fed.whole else known.fed
        entered = Tally(items=fed.items, counts=counts, fed=listed)
        changes = {
            "stage": moved.stage,
            "state": JobState.EXPANDING,
            "items": fed.items,
            "counts": entered.counts,
            "tallies": (*tallies[: moved.stage], entered, *tallies[moved.stage + 1 :]),
            "failed_earlier": job.failed_earlier + job.counts.failed + job.counts.cancelled,
            "expanded": False,
            "sealing": job.generation - 1,
            "reserved": to_run,
            "metered": job.evolve(metered=job.metering(-job.reserved)).metering(to_run, month),
            **fed.changes,
        }
        guard = (
            Equals("stage", job.stage),
            Equals("generation", job.generation),
            Equals("cancelling", job.cancelling),
        )
        left = (job.month, job.reserved)
        charge = await self.usages.go_on(job.owner, left, (month, to_run))
        moving = Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard)
        actions = (moving, Put(unit), *fed.actions, *charge)
        async with self.usages.refusing(job.owner, actions, before=1):
            await lease.finish(*actions, wake=lane_of(unit))
        await self.bell.ring(f"work:{job.klass}")

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """End the job: without a list of inputs the next stage cannot begin."""
        job = await self.jobs.need(lease.unit.payload["job"])
        text = f"The next stage could not begin: {error}"[:500]
        stopping = {"cancelling": True, "error": text, "sealing": job.generation - 1}
        await lease.finish(Update(Job, (job.id,), set=stopping, add={"revision": 1}))

    async def _feed(self, lease: Lease, job: Job, known: Tally) -> Fed:
        """List what is new for the stage that follows."""
        stages = split(self.catalogue.build_all(job.steps))
        stage = stages[job.stage + 1]
        feeding = Feeding(self.manifests, self.results, self.scratch, job)
        if stage.kind is StageKind.REDUCE:
            return await self._reduction(lease, job, stage, feeding)
        if not stage.again:
            marked = any(step.partners for each in stages for step in each.steps)
            new = feeding.made(job.stage, known.fed, digests=marked)
            return Fed(await self._write_manifest(lease, job, known, new))
        agreed = await self._agreed(job, stages[job.stage].first)
        if agreed is None:
            return Fed(known.items, whole=False)
        named = stage.steps[-1].references if stage.kind is StageKind.MEASURE else ()
        new = feeding.again(job.stage - 1, known.fed, named)
        return Fed(await self._write_manifest(lease, job, known, new), {"agreed": agreed})

    async def _reduction(self, lease: Lease, job: Job, stage: Stage, feeding: Feeding) -> Fed:
        """List all that was measured as one input, unless what was made of it stands."""
        before = await self.results.get(job.id, job.stage + 1, 0)
        stands = before is not None and before.outcome is not ItemOutcome.FAILED
        if stands and stage.steps[0].applies:
            return Fed(1)
        name = job.steps[stage.first].operation
        key = f"manifests/{job.id}/{job.stage + 1}-measures-{lease.unit.fence}"
        listed = await feeding.measures(key, name, contents=not stage.asks)
        if (stage.asks or stage.steps[0].applies) and not listed.good:
            return Fed(0, whole=False)
        entry = _reduced(name, key, listed)
        put = await self.manifests.page(job.id, job.stage + 1, 0, [entry], lease.unit.fence)
        gone = [Delete(Result, (job.id, job.stage + 1, 0))] if stands else []
        return Fed(1, actions=[put, *gone], anew=bool(gone))

    async def _agreed(self, job: Job, step: int) -> dict[str, dict[str, Any]] | None:
        """Return what the job's steps have agreed on, with what was just reduced; None for none."""
        row = await self.results.get(job.id, job.stage, 0)
        if row is None or row.outcome is ItemOutcome.FAILED:
            return None
        if row.expired:  # it names inputs that are gone: the job knows what is left of it
            return job.agreed
        return {**job.agreed, str(step): row.data or {}}

    async def _write_manifest(
        self, lease: Lease, job: Job, known: Tally, new: AsyncIterator[Entry]
    ) -> int:
        """Add every input that is not listed yet; return how many there are then."""
        stage = job.stage + 1
        page, waiting = known.items // PAGE_ENTRIES, list[Entry]()
        if kept := known.items % PAGE_ENTRIES:
            waiting = (await self.manifests.entries(job.id, stage, page))[:kept]
        async for entry in new:
            waiting.append(entry)
            if len(waiting) >= PAGE_ENTRIES:
                await self._page(lease, job, page, waiting)
                page, waiting = page + 1, []
        await self._page(lease, job, page, waiting)
        return page * PAGE_ENTRIES + len(waiting)

    async def _page(self, lease: Lease, job: Job, page: int, entries: list[Entry]) -> None:
        fence = lease.unit.fence
        put = await self.manifests.page(job.id, job.stage + 1, page, entries, fence=fence)
        await lease.write(put)


def _reduced(name: str, key: str, listed: Listed) -> Entry:
    """Name the measures of a set as the one input of a reduction."""
    return Entry("", name, place=listed.place, weight=listed.weight, blob=key)


def _standing(counts: Counts, rerun: str) -> Counts:
    """Return what stands of a stage's outcomes when a retry comes to it."""
    failed = counts.failed if rerun == "cancelled" else 0
    return msgspec.structs.replace(counts, failed=failed, cancelled=0)
