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
    NotFound,
    QuotaExceeded,
    Restoring,
    SlotFailure,
    StorageFull,
    TimedOut,
    UnsupportedMedia,
    by_code,
)
from mediamill.engine.flush import Flush
from mediamill.engine.lease import Lease
from mediamill.engine.retry import may_be_late
from mediamill.engine.reuse import Digests
from mediamill.engine.slots import Call, Failed, Progress, SlotPool, Started, Succeeded
from mediamill.handlers.opening import Opener
from mediamill.handlers.reusing import Takeover, reuse_row
from mediamill.handlers.segments import Segments
from mediamill.handlers.steps import Work, public, result_file, steps_of
from mediamill.media.archive.read import MAX_MEMBER_BYTES
from mediamill.operations.catalogue import Catalogue
from mediamill.operations.work import Outcome
from mediamill.store.repositories.jobs import Entry, Job, Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result
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

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        if self.segments is not None and await self.segments.hold(lease, job):
            return
        run = UnitRun(self, lease, job)
        async with Flush(lease) as flush:
            await run.all(flush)
        if self.segments is not None:
            await self.segments.clear(lease.unit)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Fail what has no outcome yet, with the error of the surroundings."""
        job = await self.jobs.need(lease.unit.payload["job"])
        run = UnitRun(self, lease, job)
        async with Flush(lease) as flush:
            entries = await self.manifests.at(job.id, run.stage, lease.unit.pending())
            for item, entry in entries.items():
                await flush.add(await run.failed(item, entry, public(error)))


class UnitRun:
    """One claim of one unit of items."""

    def __init__(self, parts: Items, lease: Lease, job: Job) -> None:
        self.parts, self.lease, self.job = parts, lease, job
        self.stage = int(lease.unit.payload["stage"])
        self.generation = int(lease.unit.payload["generation"])
        self.steps, operations = steps_of(parts.catalogue, job, self.stage)
        self.first = operations[0]
        self._digests = Digests(self.steps, operations, job.seed)
        self._began = time.monotonic()
        self._total = len(lease.unit.items)
        self._settled = self._total - len(lease.unit.pending())
        self._late: MediamillError | None = None
        """Why some inputs are left for another attempt: their bytes are not to be had yet."""
        self._roots: dict[str, str | None] = {}
        self._opener = Opener(parts.blobs, parts.results, parts.scratch, parts.max_member_bytes)

    async def all(self, flush: Flush) -> None:
        """Run what has no outcome yet until everything has one."""
        works = await self._inputs(flush)
        await self._blame_the_lost(works, flush)
        if self.job.reuse:
            works = await self._taken_over(works, flush)
        if self.parts.segments is not None and works:
            works = await self._joined(self.parts.segments, works, flush)
        while works:
            if (full := await self._no_room()) is not None:
                for work in works:
                    await flush.add(await self.failed(work.item, work.entry, full))
                return
            batch = works[:1] if self._careful else works
            if self._careful:
                await flush.settle()
                await self.lease.write(current=batch[0].item)
            settled = await self._call(batch, flush)
            works = [work for work in works if work.item not in settled]
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

    async def _inputs(self, flush: Flush) -> list[Work]:
        """Load the pending inputs; those that are gone are failed."""
        parts, pending = self.parts, self.lease.unit.pending()
        entries = await parts.manifests.at(self.job.id, self.stage, pending)
        ids = [entries[item].file for item in pending]
        files = await parts.lookup.get_many(ids, at=self.job.created)
        works = []
        for item, file in zip(pending, files, strict=True):
            problem = entries[item].problem
            if problem is not None:
                known = by_code(problem.code)(problem.message)
                await flush.add(await self.failed(item, entries[item], known))
            elif file is None:
                gone = NotFound(f"The input {entries[item].name} was deleted.")
                await flush.add(await self.failed(item, entries[item], gone))
            elif not entries[item].path and not self.first.takes(file.media_type):
                name, takes = self.steps[0].operation, ", ".join(self.first.accepts)
                misfit = UnsupportedMedia(f"{name} takes {takes}, not {file.media_type}.")
                await flush.add(await self.failed(item, entries[item], misfit))
            else:
                digest = self._digests.of(file, entries[item])
                works.append(Work(item, entries[item], file, digest))
        return works

    async def _taken_over(self, works: list[Work], flush: Flush) -> list[Work]:
        """Settle what earlier jobs did already; return what is left to run."""
        digests = [work.digest for work in works if work.digest]
        found = await Reuses(self.parts.jobs.store).find(self.job.owner, digests)
        takeover, left = Takeover(self.parts.results), list[Work]()
        for work in works:
            old, taken = found.get(work.digest), None
            if old is not None:
                blank = await self._blank(work.item, work.entry)
                taken = await takeover.apply(blank, old, self._prefix(work.item))
            if taken is None:
                left.append(work)
            else:
                await flush.add(taken, reuse_row(self.job.owner, work.digest, taken))
        return left

    async def _joined(self, segments: Segments, works: list[Work], flush: Flush) -> list[Work]:
        """Settle an item whose parts are done; return what is left to run."""
        key = f"{self._prefix(works[0].item)}0"
        joined = await segments.joined(self.lease, self.job, key)
        if joined is None:
            return works
        file, report = joined
        blank = await self._blank(works[0].item, works[0].entry)
        result = blank.evolve(files=(file,), report=report)
        await flush.add(result, reuse_row(self.job.owner, works[0].digest, result))
        return works[1:]

    async def _blame_the_lost(self, works: list[Work], flush: Flush) -> None:
        """Fail the item that ran alone whenever a worker vanished, once that is too often."""
        unit = self.lease.unit
        if unit.lost < LOST_LIMIT:
            return
        for work in [work for work in works if work.item == unit.current]:
            reason = SlotFailure(f"Its worker vanished {unit.lost} times while it ran.")
            await flush.add(await self.failed(work.item, work.entry, reason))
            works.remove(work)

    # -- one slot call ------------------------------------------------------------------------

    async def _call(self, works: Sequence[Work], flush: Flush) -> set[int]:
        """Run some items in one slot call; return those that have an outcome now."""
        settled: set[int] = set()
        by_item = {work.item: work for work in works}
        try:
            async with aclosing(self._events(works)) as events:
                async for event in events:
                    if isinstance(event, Started):
                        self._began = time.monotonic()
                    elif isinstance(event, Progress):
                        self._note_progress(event.fraction)
                    else:
                        work = by_item[event.index]
                        if isinstance(event, Failed) and event.code == StorageFull.code:
                            raise StorageFull(event.message)  # not the item's fault
                        result = await self._outcome(work, event)
                        await flush.add(result, reuse_row(self.job.owner, work.digest, result))
                        settled.add(event.index)
                        self._settled += 1
                        self._note_progress(0.0)
        except SlotFailure as failure:
            culprit = failure.details.get("index")
            struck = by_item.get(culprit) if culprit is not None else None
            if struck is None:
                raise
            await self._strike(struck, failure, flush, settled)
        while self._opener.unopened:
            missing, error = self._opener.unopened.pop()
            settled.add(missing.item)
            if isinstance(error, Restoring) or may_be_late(error, self.lease.unit.attempts):
                self._late = error
            else:
                await flush.add(await self.failed(missing.item, missing.entry, error))
        return settled

    async def _events(
        self, works: Sequence[Work]
    ) -> AsyncGenerator[Started | Progress | Succeeded | Failed, None]:
        """Run items in a slot of their own for the time being; inputs are opened one by one."""
        steps = tuple((step.operation, step.parameters) for step in self.steps)
        async with self.parts.slots.acquire() as slot:
            threads = self.parts.threads if len(works) == 1 else 1
            call = Call(steps, self._opener.items(works), threads=threads, seed=self.job.seed)
            async for event in slot.run(call):
                yield event

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
            "an item ended its slot",
            action="item_crashed",
            item=work.item,
            strikes=count,
            code=failure.code,
            **self.job.log_context(),
        )
        if count >= (limit or self.parts.crash_limit):
            await flush.add(await self.failed(work.item, work.entry, failure))
            settled.add(work.item)

    # -- outcomes -----------------------------------------------------------------------------

    async def _outcome(self, work: Work, event: Succeeded | Failed) -> Result:
        if isinstance(event, Failed):
            blank = await self._blank(work.item, work.entry)
            log.info(
                "item failed",
                action="item_failed",
                item=work.item,
                code=event.code,
                details=event.details,
                **self.job.log_context(),
            )
            return blank.evolve(
                outcome=ItemOutcome.FAILED,
                code=event.code,
                error=event.message[:1000],
                retryable=event.retryable,
            )
        return await self._succeeded(work, event.outcome)

    async def _succeeded(self, work: Work, outcome: Outcome) -> Result:
        """Make an item's files durable under keys that only this claim uses."""
        files = []
        for n, output in enumerate(outcome.files):
            blob = f"{self._prefix(work.item)}{n}"
            await self.parts.results.adopt(blob, output.path)
            files.append(result_file(output, blob))
        blank = await self._blank(work.item, work.entry)
        data = dict(outcome.data) if outcome.data is not None else None
        return blank.evolve(files=tuple(files), data=data, report=dict(outcome.report))

    def _prefix(self, item: int) -> str:
        """Return what the keys of an item's blobs begin with; no other claim uses them."""
        unit = self.lease.unit
        return f"results/{self.job.id}/{unit.seq}-{unit.fence}-{item}-"

    async def failed(self, item: int, entry: Entry, error: MediamillError) -> Result:
        """Make the outcome of an item that could not be run."""
        blank = await self._blank(item, entry)
        return blank.evolve(
            outcome=ItemOutcome.FAILED,
            code=error.code,
            error=error.message[:1000],
            retryable=error.retryable,
        )

    async def _blank(self, item: int, entry: Entry) -> Result:
        return Result(
            job=self.job.id,
            stage=self.stage,
            item=item,
            generation=self.generation,
            outcome=ItemOutcome.SUCCEEDED,
            input=entry.file,
            root=await self._root(entry.file),
            name=entry.name,
            path=entry.path,
            seconds=round(time.monotonic() - self._began, 4),
            created=await self.parts.jobs.store.now(),
        )

    async def _root(self, file: str) -> str | None:
        """Return the file that came in and that an input was made of."""
        if file not in self._roots:
            self._roots[file] = await self.parts.lookup.root(file)
        return self._roots[file]
