"""`items`: run a stage's steps on the items of a unit, in a slot, and settle each outcome.

All items go through one slot call. When a slot dies, that is evidence against the item it was
running: from then on the unit's items run one per call, `current` is stored before each, and an
item that ends its slot `crash_limit` times is failed with the reason while its neighbours go on.
A worker that vanished is much weaker evidence and has a far higher limit.
"""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import (
    MediamillError,
    QuotaExceeded,
    Restoring,
    SlotFailure,
    StorageFull,
    TimedOut,
)
from mediamill.core.tracing import past
from mediamill.engine.flush import Flush
from mediamill.engine.lease import Lease
from mediamill.engine.retry import may_be_late
from mediamill.engine.reuse import Digests
from mediamill.engine.slots import Call, Failed, Progress, SlotPool, Started, Succeeded
from mediamill.engine.stages import StageKind
from mediamill.engine.tallying import Tallying
from mediamill.handlers.items.keeping import Keeping
from mediamill.handlers.items.loading import Loading
from mediamill.handlers.items.opening import Opener
from mediamill.handlers.items.partners import Partners
from mediamill.handlers.items.reusing import Takeover, reuse_of, reuse_row
from mediamill.handlers.items.segments import Segments
from mediamill.handlers.items.settling import MOST_WHY, Done, Settling, lineage
from mediamill.handlers.items.steps import Work, agreed_in, public, stage_of, stored
from mediamill.media.archive.read import MAX_MEMBER_BYTES
from mediamill.operations.catalogue import Catalogue
from mediamill.store.repositories.jobs import Job, Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.reuse import Reuses
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)

LOST_LIMIT = 10
"""Leases lost under a unit before the item that ran alone then is failed."""


@dataclass
class Items:
    """Runs media operations; what an item does wrong is its outcome, never the unit's error."""

    jobs: Jobs
    manifests: Manifests
    lookup: FileLookup
    blobs: Blobs
    results: Blobs
    slots: SlotPool
    catalogue: Catalogue
    scratch: Path
    crash_limit: int = 3
    threads: int = 1
    """Threads of a call that has one item only."""
    max_member_bytes: int = MAX_MEMBER_BYTES
    """The largest member of an archive that is taken."""
    segments: Segments | None = None
    """Does long inputs in parts; None does all whole."""
    usages: Usages | None = None
    """Knows whether the owner has room for results; None makes them in any case."""
    partners: Partners | None = None
    """Chooses other inputs of the set for steps that mix several; None has none."""

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        if self.segments is not None and await self.segments.hold(lease, job):
            return
        run = UnitRun(self, lease, job)
        async with Flush(lease, tallying=run.tallying) as flush:
            await run.all(flush)
        if self.segments is not None:
            await self.segments.clear(lease.unit)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Fail what has no outcome yet, with the error of the surroundings."""
        job = await self.jobs.need(lease.unit.payload["job"])
        run = UnitRun(self, lease, job)
        async with Flush(lease, tallying=run.tallying) as flush:
            entries = await self.manifests.at(job.id, run.stage, lease.unit.pending())
            for item, entry in entries.items():
                await flush.add(await run.settling.failed(item, entry, public(error)))


class UnitRun:
    """One claim of one unit of items."""

    def __init__(self, parts: Items, lease: Lease, job: Job) -> None:
        self.parts, self.lease, self.job = parts, lease, job
        self.stage = int(lease.unit.payload["stage"])
        self.cut = stage_of(parts.catalogue, job, self.stage)
        self.steps = stored(job, self.cut)
        self._operation = lease.operation = self.steps[-1].operation
        self._agreed = agreed_in(job, self.cut)
        digests = Digests(self.steps, self.cut, job.seed, self._agreed)
        self._loading = Loading(
            job, self.stage, self.cut, digests, parts.manifests, parts.lookup, parts.partners
        )
        inner = self.cut.kind is StageKind.MEASURE
        self.settling = Settling(parts.lookup, parts.results, job, lease.unit, inner=inner)
        self.tallying = Tallying([step.operation for step in self.steps], inner)
        self._total = len(lease.unit.items)
        self._settled = self._total - len(lease.unit.pending())
        self._late: MediamillError | None = None
        """Why some inputs are left for another attempt: their bytes are not to be had yet."""
        self._missing: dict[int, dict[int, str]] = {}
        """Partners of inputs that could not be opened."""
        self._opener = Opener(parts.blobs, parts.results, parts.scratch, parts.max_member_bytes)

    async def all(self, flush: Flush) -> None:
        """Run what has no outcome yet until everything has one."""
        works = await self._inputs(flush)
        await self._blame_the_lost(works, flush)
        if self.job.reuse:
            takeover = Takeover(self.parts.results, Reuses(self.parts.jobs.store))
            works = await takeover.all(self.job.owner, works, self.settling, flush)
        if self.parts.segments is not None and works:
            works = await self._joined(self.parts.segments, works, flush)
        while works:
            if (full := await self._no_room()) is not None:
                for work in works:
                    await flush.add(await self.settling.failed(work.item, work.entry, full))
                return
            batch = [self._without_risk(works[0])] if self._careful else _alike(works)
            if self._careful:
                await flush.settle()
                await self.lease.write(current=batch[0].item)
            settled = await self._call(batch, flush)
            works = [self._remaining(work) for work in works if work.item not in settled]
        if self._late is not None:
            raise self._late

    async def _no_room(self) -> QuotaExceeded | None:
        """Return why nothing more may be made for the owner, or None."""
        if self.parts.usages is not None:
            try:
                await self.parts.usages.require(self.job.owner, 1)
            except QuotaExceeded as full:
                return full
        return None

    @property
    def _careful(self) -> bool:
        return bool(self.lease.unit.strikes) or self.lease.unit.lost > 1

    def _without_risk(self, work: Work) -> Work:
        """Return an input without its partners once its slot ended: that may have been theirs."""
        if str(work.item) not in self.lease.unit.strikes or not work.partners:
            return work
        return work.without({one.item: "The process ended." for one in work.partners})

    def _remaining(self, work: Work) -> Work:
        """Return an input without the partners that could not be opened."""
        gone = self._missing.pop(work.item, {})
        return self._loading.digested(work.without(gone)) if gone else work

    async def _inputs(self, flush: Flush) -> list[Work]:
        """Load the pending inputs; those that are gone are failed."""
        works, unfit = await self._loading.load(self.lease.unit.pending())
        self.tallying.know(works, unfit)
        for one in unfit:
            await flush.add(await self.settling.failed(one.item, one.entry, one.why))
        return works

    async def _joined(self, segments: Segments, works: list[Work], flush: Flush) -> list[Work]:
        """Settle an item whose parts are done; return what is left to run."""
        key = f"{self.settling.prefix(works[0].item)}0"
        joined = await segments.joined(self.lease, self.job, key)
        if joined is None:
            return works
        file, report = joined
        blank = await self.settling.blank(works[0].item, works[0].entry)
        made = lineage(works[0])
        result = blank.evolve(files=(file,), report=report, lineage=made)
        await flush.add(result, reuse_row(self.job.owner, works[0].digest, result))
        return works[1:]

    async def _blame_the_lost(self, works: list[Work], flush: Flush) -> None:
        """Fail the item that ran alone whenever a worker vanished, once that is too often."""
        unit = self.lease.unit
        if unit.lost < LOST_LIMIT:
            return
        for work in [work for work in works if work.item == unit.current]:
            reason = SlotFailure(f"Its worker vanished {unit.lost} times while it ran.")
            await flush.add(await self.settling.failed(work.item, work.entry, reason))
            works.remove(work)

    # -- one slot call ------------------------------------------------------------------------

    async def _call(self, works: Sequence[Work], flush: Flush) -> set[int]:
        """Run some items in one slot call; return those that have an outcome now."""
        settled: set[int] = set()
        by_item, began = {work.item: work for work in works}, time.time_ns()

        async def keep(done: Sequence[Done]) -> None:
            for result, one in zip(await self.settling.succeeded(done), done, strict=True):
                await flush.add(result, reuse_of(self.job.owner, one, result))
                settled.add(result.item)

        keeping = Keeping(keep)
        try:
            async with keeping.ticking(), aclosing(self._events(works, keeping)) as events:
                async for event in events:
                    if isinstance(event, Started):
                        self.settling.began, began = time.monotonic(), time.time_ns()
                    elif isinstance(event, Progress):
                        self._note_progress(event.fraction)
                    else:
                        work, wrong = by_item[event.index], getattr(event, "code", "")
                        past("item", began, wrong, item=event.index, operation=self._operation)
                        if isinstance(event, Succeeded):
                            done = Done(work, event.outcome, self.settling.seconds())
                            await keeping.add(done)
                        else:
                            await flush.add(await self._failed(work, event))
                            settled.add(event.index)
                        self._settled += 1
                        self._note_progress(0.0)
        except SlotFailure as failure:
            culprit = failure.details.get("index")
            struck = by_item.get(culprit) if culprit is not None else None
            if struck is None:
                raise
            await self._strike(struck, failure, flush, settled)
        return settled | await self._unopened(flush)

    async def _unopened(self, flush: Flush) -> set[int]:
        """Fail inputs that could not be opened, or leave them for later; return which."""
        found: set[int] = set()
        while self._opener.unopened:
            one = self._opener.unopened.pop()
            item, error = one.work.item, one.error
            if isinstance(error, Restoring) or may_be_late(error, self.lease.unit.attempts):
                self._late = error
            elif one.partner is not None:  # it fails by itself, not what it is beside
                self._missing.setdefault(item, {})[one.partner] = error.message[:MOST_WHY]
                continue
            else:
                await flush.add(await self.settling.failed(item, one.work.entry, error))
            found.add(item)
        return found

    async def _events(
        self, works: Sequence[Work], keeping: Keeping
    ) -> AsyncGenerator[Started | Progress | Succeeded | Failed, None]:
        """Run items in a slot of their own for the time being; inputs are opened one by one.

        What they made is kept before the slot is given back, also when its process has died.
        """
        steps = tuple((step.operation, step.parameters) for step in self.steps)
        if works[0].entry.reference:
            steps = steps[-1:]
        async with self.parts.slots.acquire() as slot:
            threads = self.parts.threads if len(works) == 1 else 1
            call = Call(
                steps, self._opener.items(works), threads=threads, seed=self.job.seed,
                kind=self.cut.kind.value, agreed=self._agreed,
            )  # fmt: skip
            try:
                async for event in slot.run(call):
                    yield event
            except SlotFailure:
                await keeping.settle()
                raise
            await keeping.settle()

    def _note_progress(self, fraction: float) -> None:
        """Keep the unit's progress, for the next heartbeat to write."""
        self.lease.progress = min(1.0, (self._settled + fraction) / max(1, self._total))

    async def _strike(
        self, work: Work, failure: SlotFailure, flush: Flush, settled: set[int]
    ) -> None:
        """Count a slot's death against an item; fail the item at the limit."""
        strikes = dict(self.lease.unit.strikes)
        count = strikes.get(str(work.item), 0) + 1
        strikes[str(work.item)] = count
        await flush.settle()
        await self.lease.write(strikes=strikes)
        limit = min(2, self.parts.crash_limit) if isinstance(failure, TimedOut) else None
        log.warning(
            "an item ended its slot", action="item_crashed", item=work.item, strikes=count,
            code=failure.code, **self.job.log_context(),
        )  # fmt: skip
        if count >= (limit or self.parts.crash_limit):
            seconds = self.settling.seconds()
            result = await self.settling.failed(work.item, work.entry, failure, seconds)
            await flush.add(result)
            settled.add(work.item)

    # -- outcomes -----------------------------------------------------------------------------

    async def _failed(self, work: Work, event: Failed) -> Result:
        if event.code == StorageFull.code:
            raise StorageFull(event.message)  # not the item's fault
        log.info(
            "item failed", action="item_failed", item=work.item, code=event.code,
            details=event.details, **self.job.log_context(),
        )  # fmt: skip
        seconds = self.settling.seconds()
        return await self.settling.failed(work.item, work.entry, event, seconds)


def _alike(works: list[Work]) -> list[Work]:
    """Return those of some items that one call does: references are measured by themselves."""
    kind = works[0].entry.reference
    return [work for work in works if work.entry.reference is kind]
