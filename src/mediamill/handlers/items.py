"""`items`: run a stage's steps on the items of a unit, in a slot, and settle each outcome.

All items go through one slot call. When a slot dies, that is evidence against the item it was
running: from then on the unit's items run one per call, `current` is stored before each, and an
item that ends its slot `crash_limit` times is failed with the reason while its neighbours go on.
A worker that vanished is much weaker evidence and has a far higher limit.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import MediamillError, NotFound, SlotFailure, TimedOut, UnsupportedMedia
from mediamill.engine.flush import Flush
from mediamill.engine.inputs import call_item, opened
from mediamill.engine.lease import Lease
from mediamill.engine.slots import Call, CallItem, Failed, Progress, SlotPool, Started, Succeeded
from mediamill.engine.stages import split
from mediamill.operations.base import Outcome, Output
from mediamill.operations.catalogue import Catalogue
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job, Jobs, Manifests, Step
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile

log = structlog.get_logger(__name__)

LOST_LIMIT = 10
"""Leases lost under a unit before the item that ran alone then is failed."""


@dataclass(frozen=True)
class Work:
    """One item to be run: its index, its entry in the manifest, and its file."""

    item: int
    entry: Entry
    file: File


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

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        run = UnitRun(self, lease, job)
        async with Flush(lease) as flush:
            await run.all(flush)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Fail what has no outcome yet, with the error of the surroundings."""
        job = await self.jobs.need(lease.unit.payload["job"])
        run = UnitRun(self, lease, job)
        async with Flush(lease) as flush:
            entries = await self.manifests.at(job.id, run.stage, lease.unit.pending())
            for item, entry in entries.items():
                await flush.add(await run.failed(item, entry, _public(error)))

    def home_of(self, file: File) -> Blobs:
        """Return the store that holds a file's bytes."""
        return self.results if file.source == "result" else self.blobs


class UnitRun:
    """One claim of one unit of items."""

    def __init__(self, parts: Items, lease: Lease, job: Job) -> None:
        self.parts, self.lease, self.job = parts, lease, job
        self.stage = int(lease.unit.payload["stage"])
        self.generation = int(lease.unit.payload["generation"])
        self.steps = _steps_of(parts.catalogue, job, self.stage)
        self.first = parts.catalogue.get(self.steps[0].operation)
        self._began = time.monotonic()
        self._unopened: list[tuple[Work, NotFound]] = []

    async def all(self, flush: Flush) -> None:
        """Run what has no outcome yet until everything has one."""
        works = await self._inputs(flush)
        await self._blame_the_lost(works, flush)
        while works:
            batch = works[:1] if self._careful else works
            if self._careful:
                await flush.settle()
                await self.lease.write(current=batch[0].item)
            settled = await self._call(batch, flush)
            works = [work for work in works if work.item not in settled]

    @property
    def _careful(self) -> bool:
        return bool(self.lease.unit.strikes) or self.lease.unit.lost > 1

    async def _inputs(self, flush: Flush) -> list[Work]:
        """Load the pending inputs; those that are gone are failed."""
        parts, pending = self.parts, self.lease.unit.pending()
        entries = await parts.manifests.at(self.job.id, self.stage, pending)
        files = await parts.lookup.get_many([entries[item].file for item in pending])
        works = []
        for item, file in zip(pending, files, strict=True):
            if file is None:
                gone = NotFound(f"The input {entries[item].name} was deleted.")
                await flush.add(await self.failed(item, entries[item], gone))
            elif not self.first.takes(file.media_type):
                name, takes = self.steps[0].operation, ", ".join(self.first.accepts)
                misfit = UnsupportedMedia(f"{name} takes {takes}, not {file.media_type}.")
                await flush.add(await self.failed(item, entries[item], misfit))
            else:
                works.append(Work(item, entries[item], file))
        return works

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
                        await flush.add(await self._outcome(by_item[event.index], event))
                        settled.add(event.index)
                        self._note_progress(0.0)
        except SlotFailure as failure:
            culprit = failure.details.get("index")
            work = by_item.get(culprit) if culprit is not None else None
            if work is None:
                raise
            await self._strike(work, failure, flush, settled)
        while self._unopened:
            missing, error = self._unopened.pop()
            await flush.add(await self.failed(missing.item, missing.entry, error))
            settled.add(missing.item)
        return settled

    async def _events(
        self, works: Sequence[Work]
    ) -> AsyncGenerator[Started | Progress | Succeeded | Failed, None]:
        """Run items in a slot of their own for the time being; inputs are opened one by one."""
        steps = tuple((step.operation, step.parameters) for step in self.steps)
        async with self.parts.slots.acquire() as slot:
            threads = self.parts.threads if len(works) == 1 else 1
            call = Call(steps, self._opened(works), threads=threads, seed=self.job.seed)
            async for event in slot.run(call):
                yield event

    async def _opened(self, works: Sequence[Work]) -> AsyncIterator[CallItem]:
        for work in works:
            home = self.parts.home_of(work.file)
            async with AsyncExitStack() as stack:
                opening = opened(home, work.file.blob, self.parts.scratch)
                try:
                    descriptor = await stack.enter_async_context(opening)
                except NotFound as error:
                    self._unopened.append((work, error))
                    continue
                yield call_item(work.item, work.file, descriptor)

    def _note_progress(self, fraction: float) -> None:
        """Keep the unit's progress, for the next heartbeat to write."""
        unit = self.lease.unit
        total = max(1, len(unit.items))
        done = total - len(unit.pending())
        self.lease.progress = min(1.0, (done + fraction) / total)

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
        unit = self.lease.unit
        files = []
        for n, output in enumerate(outcome.files):
            number = f"{unit.seq}-{unit.fence}-{work.item}-{n}"
            blob = f"results/{self.job.id}/{number}"
            await self.parts.results.adopt(blob, output.path)
            files.append(_result_file(output, blob))
        blank = await self._blank(work.item, work.entry)
        data = dict(outcome.data) if outcome.data is not None else None
        return blank.evolve(files=tuple(files), data=data, report=dict(outcome.report))

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
            name=entry.name,
            seconds=round(time.monotonic() - self._began, 4),
            created=await self.jobs_now(),
        )

    async def jobs_now(self) -> int:
        return await self.parts.jobs.store.now()


def _steps_of(catalogue: Catalogue, job: Job, stage: int) -> tuple[Step, ...]:
    """Return the stored steps of one stage."""
    start = 0
    for place, cut in enumerate(split(catalogue.build_all(job.steps))):
        if place == stage:
            return job.steps[start : start + len(cut.steps)]
        start += len(cut.steps)
    raise NotFound(f"Job {job.id} has no stage {stage}.")


def _result_file(output: Output, blob: str) -> ResultFile:
    return ResultFile(
        name=output.name,
        media_type=output.media_type,
        size=output.size,
        sha256=output.sha256,
        crc32=output.crc32,
        blob=blob,
        info=dict(output.info),
    )


def _public(error: BaseException) -> MediamillError:
    """Return an error that may be shown; an unexpected one says only that it was."""
    if isinstance(error, MediamillError):
        return error
    return MediamillError("An internal error kept this item from running; the log has it.")
