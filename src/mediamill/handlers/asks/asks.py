"""`asks`: ask models for the items of a unit, many at a time.

Inputs are prepared some at a time in a slot, which is given back before anybody is asked: what is
sent lies in scratch files until the call. Of a step that asks once about all inputs, one stage
keeps what is sent of each, and the next asks.

What goes wrong with an item is its outcome. Where nobody can be asked just now the items are left
for another attempt of the unit, after a while.
"""

import asyncio
import math
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from mediamill.adapters.providers.port import Batches
from mediamill.blobs.port import Blobs
from mediamill.core.errors import (
    ConditionFailed,
    LimitExceeded,
    MediamillError,
    ProviderUnavailable,
    QuotaExceeded,
    Restoring,
    StorageFull,
    Unavailable,
)
from mediamill.engine.asking.asking import Asking, settle_dead
from mediamill.engine.asking.batch import AskedLaterError, BatchAsk, Wanted
from mediamill.engine.asking.journal import Journal
from mediamill.engine.asking.models import Models
from mediamill.engine.asking.money import Money
from mediamill.engine.asking.panel import Opened, seated, traits_of
from mediamill.engine.flush import Flush
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.retry import may_be_late
from mediamill.engine.reuse import Digests
from mediamill.engine.slots import Failed, SlotPool
from mediamill.engine.stages import StageKind
from mediamill.handlers.asks import index_captions
from mediamill.handlers.asks.batching import LOOK_AGAIN_MS, Batching, WaitingError, paid_by
from mediamill.handlers.asks.enlisting import CAPTIONED, enlisting
from mediamill.handlers.asks.preparing import Preparing, Ready, prepared
from mediamill.handlers.items.keeping import Keeping
from mediamill.handlers.items.loading import Loading
from mediamill.handlers.items.opening import Opener
from mediamill.handlers.items.reusing import Takeover, reuse_of
from mediamill.handlers.items.settling import Done, Settling
from mediamill.handlers.items.steps import Work, public, stage_of, stored
from mediamill.media.archive.read import MAX_MEMBER_BYTES
from mediamill.operations.asking import ModelOperation, Prepared, PreparedFile
from mediamill.operations.catalogue import Catalogue
from mediamill.operations.work import Context, Outcome, SourceFacts
from mediamill.store.repositories.attempts import Attempt, Attempts
from mediamill.store.repositories.jobs import Job, Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Results
from mediamill.store.repositories.reuse import Reuses
from mediamill.store.repositories.spending import EVERYBODY, Purse, Spending, month_of
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)

AT_ONCE = 16
"""Inputs that are prepared in one slot call."""
WAITS = {"interactive": 4, "bulk": 10}
"""Attempts of a unit after which an item fails although its providers may come back: seconds where
somebody waits, minutes else."""
GROUP_FILES, GROUP_BYTES = 2_000, 64_000_000
"""What is sent of a set that is asked about at once, at most; models take far less."""


@dataclass
class Asks:
    """Runs operations that ask models."""

    jobs: Jobs
    manifests: Manifests
    lookup: FileLookup
    rows: Results
    blobs: Blobs
    results: Blobs
    slots: SlotPool
    catalogue: Catalogue
    scratch: Path
    models: Models
    attempts: Attempts
    spending: Spending
    usages: Usages
    seconds: float
    """Until when a question must be answered."""
    room: asyncio.Semaphore
    """Items that are asked about at a time."""
    crash_limit: int = 3
    max_member_bytes: int = MAX_MEMBER_BYTES

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        run = AskRun(self, lease, job)
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="asks-") as folder:
            beside = enlisting(job, run.step.operation)
            try:
                async with run.paying(), Flush(lease, beside) as flush:
                    await run.all(flush, Path(folder))
            except WaitingError:
                await lease.release(LOOK_AGAIN_MS, counted=False)
        if run.step.operation in CAPTIONED:
            await index_captions.wanted(lease, job.owner)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Fail what has no outcome yet, with the error of the surroundings."""
        job = await self.jobs.need(lease.unit.payload["job"])
        run = AskRun(self, lease, job)
        async with Flush(lease) as flush:
            entries = await self.manifests.at(job.id, run.stage, lease.unit.pending())
            for item, entry in entries.items():
                await flush.add(await run.settling.failed(item, entry, public(error)))


@dataclass(frozen=True)
class Around:
    """What surrounds the items of a claim."""

    asking: Asking
    past: Mapping[int, Sequence[Attempt]]
    """Attempts so far, by item."""
    keeping: Keeping
    flush: Flush
    folder: Path

    def folder_in(self, place: str) -> Path:
        """Make a new folder for what an item makes."""
        return Path(tempfile.mkdtemp(dir=self.folder / place))


@dataclass
class AskRun:
    """One claim of one unit."""

    parts: Asks
    lease: Lease
    job: Job
    _late: MediamillError | None = None
    """Why some inputs are left for another attempt."""
    _money: Money | None = None
    _done: int = field(init=False)

    def __post_init__(self) -> None:
        parts, unit = self.parts, self.lease.unit
        self.stage = int(unit.payload["stage"])
        self.cut = stage_of(parts.catalogue, self.job, self.stage)
        (self.step,) = stored(self.job, self.cut)
        inner = self.cut.kind is StageKind.MEASURE
        self.settling = Settling(parts.lookup, parts.results, self.job, unit, inner=inner)
        self._done = len(unit.items) - len(unit.pending())
        self._named = self.job.chains.get(str(self.cut.first), ())
        self._opener = Opener(parts.blobs, parts.results, parts.scratch, parts.max_member_bytes)

    @property
    def operation(self) -> ModelOperation:
        step = self.cut.steps[-1]
        if not isinstance(step, ModelOperation):
            raise TypeError(f"{self.step.operation} asks no models")
        return step

    @asynccontextmanager
    async def paying(self) -> AsyncIterator[None]:
        """Give the claim a purse, which is closed when the block is over and the unit still held.

        Purses of claims that ended otherwise are closed first.
        """
        parts, unit = self.parts, self.lease.unit
        async for purse in parts.spending.purses(self.job.id, unit.seq):
            if purse.fence == paid_by(unit):
                continue
            await settle_dead(parts.attempts, parts.spending, purse, self.stage, unit.items)
        now = await parts.jobs.store.now()
        purse = Purse(
            job=self.job.id, unit=unit.seq, fence=unit.fence, owner=self.job.owner,
            month=month_of(now), bounded=(self.job.id, self.job.owner, EVERYBODY), created=now,
        )  # fmt: skip
        budgets = await parts.models.budgets_of(self.job.owner, self.job.budget)
        self._money = Money(parts.spending, purse, budgets)
        try:
            yield
        finally:
            if not self.lease.lost and paid_by(self.lease.unit) != unit.fence:
                with suppress(MediamillError):  # the sweep does it
                    await self._money.close()

    async def all(self, flush: Flush, folder: Path) -> None:
        """Run what has no outcome yet until everything has one."""
        chain = await self._chain()
        if self.cut.kind is StageKind.REDUCE:
            await self._all_together(chain, flush, folder)
            return
        batching = self._batching(chain)
        if batching is not None and batching.noted and not batching.cut_off:
            await batching.collect()
            batching = None  # what is asked after that is asked at once
        works = await self._inputs(flush)
        preparing = Preparing(
            self.parts.slots, self.step, self.job.seed, takes(chain), folder,
            self.parts.crash_limit,
        )  # fmt: skip

        async def keep(done: Sequence[Done]) -> None:
            for result, one in zip(await self.settling.succeeded(done), done, strict=True):
                await flush.add(result, reuse_of(self.job.owner, one, result))
                shutil.rmtree(preparing.of(result.item), ignore_errors=True)

        keeping = Keeping(keep, quick_seconds=math.inf)
        asking = await self._asking(chain)
        around = Around(asking, await self._past(works), keeping, flush, folder)
        async with keeping.ticking():
            if batching is not None and (batching.cut_off or works):
                await self._hand_in(works, around, preparing, batching)
                around = replace(around, past=await self._attempts_of(works))
            await self._each(works, around, preparing)
            await keeping.settle()
        await asking.journal.settle()
        if self._late is not None:
            await flush.settle()
            raise self._late

    async def _chain(self) -> list[Opened]:
        """Open whom the job's step asks; raises the first's error where none can be."""
        models = self.parts.models
        return await seated(models.panel, await models.chains.of_job(self._named))

    async def _asking(self, chain: Sequence[Opened]) -> Asking:
        parts, unit = self.parts, self.lease.unit
        if self._money is None:
            raise RuntimeError("nobody pays")
        blank = Attempt(
            of="", name="", number=0, job=self.job.id, stage=self.stage, item=0,
            owner=self.job.owner, month=self._money.purse.month, operation=self.step.operation,
            provider="", purse=unit.fence, began=0,
        )  # fmt: skip
        return Asking(
            chain, parts.models.gate, Journal(self.lease), self._money, parts.jobs.store, blank,
            parts.seconds,
        )  # fmt: skip

    async def _past(self, works: Sequence[Work]) -> dict[int, Sequence[Attempt]]:
        """Return the attempts so far of items that may have some."""
        unit = self.lease.unit
        if unit.fence == 1 and self.job.generation == 1:
            return {}
        return await self._attempts_of(works)

    async def _attempts_of(self, works: Sequence[Work]) -> dict[int, Sequence[Attempt]]:
        return {
            work.item: await self.parts.attempts.of_item(self.job.id, self.stage, work.item)
            for work in works
        }

    async def _inputs(self, flush: Flush) -> list[Work]:
        """Load the pending inputs; settle those that are gone, and those that were done before."""
        parts = self.parts
        digests = Digests((self.step,), self.cut, self.job.seed, asked=self._named)
        loading = Loading(self.job, self.stage, self.cut, digests, parts.manifests, parts.lookup)
        works, unfit = await loading.load(self.lease.unit.pending())
        for one in unfit:
            await flush.add(await self.settling.failed(one.item, one.entry, one.why))
        if self.job.reuse:
            takeover = Takeover(parts.results, Reuses(parts.jobs.store))
            works = await takeover.all(self.job.owner, works, self.settling, flush)
        try:
            await parts.usages.require(self.job.owner, 1)
        except QuotaExceeded as full:
            for work in works:
                await flush.add(await self.settling.failed(work.item, work.entry, full))
            return []
        return works

    # -- as a batch -----------------------------------------------------------------------------

    def _batching(self, chain: Sequence[Opened]) -> Batching | None:
        """Return how the unit's questions go as a batch, if the job and who is asked allow it."""
        first, parts = chain[0], self.parts
        if not self.job.batch or not isinstance(first.provider, Batches):
            return None
        return Batching(self.lease, first, self.stage, parts.attempts, parts.spending)

    async def _hand_in(
        self, works: Sequence[Work], around: Around, preparing: Preparing, batching: Batching
    ) -> None:
        """Hand in what would be asked about inputs, unless it is too little for a batch."""
        wanted, unit = list[Wanted](), self.lease.unit
        for start in range(0, len(works), AT_ONCE):
            batch = works[start : start + AT_ONCE]
            ready = await preparing.all(batch, self._opener)
            for work in batch:
                if (outcome := ready.outcomes.get(work.item)) is None:
                    continue
                ask = BatchAsk(around.asking.item(work.item, around.past.get(work.item, ())))
                context = Context(around.folder_in(str(work.item)), seed=self.job.seed)
                with suppress(AskedLaterError, MediamillError):  # others are told in their turn
                    await self.operation.answer(prepared(work, outcome), ask, context)
                wanted += ask.wanted
        if batching.cut_off:
            kept = {
                f"{row.item}/{row.name}"
                for past in around.past.values() for row in past if row.purse == paid_by(unit)
            }  # fmt: skip
            await batching.hand_in_again([one for one in wanted if one.id in kept])
        if len(wanted) >= batching.opened.batches.least:
            await batching.hand_in(around.asking, wanted)

    # -- inputs by themselves -------------------------------------------------------------------

    async def _each(self, works: Sequence[Work], around: Around, preparing: Preparing) -> None:
        """Prepare inputs, and ask about each while the next are prepared."""
        with plainly():
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(works), AT_ONCE):
                    if self._late is not None:
                        break
                    batch = works[start : start + AT_ONCE]
                    ready = await preparing.all(batch, self._opener)
                    await self._fail(batch, ready, around.flush)
                    for work in batch:
                        if (outcome := ready.outcomes.get(work.item)) is None:
                            continue
                        if self.cut.kind is StageKind.MEASURE:
                            await around.keeping.add(Done(work, outcome, 0.0))
                            continue
                        await self.parts.room.acquire()
                        task = group.create_task(self._one(work, prepared(work, outcome), around))
                        task.add_done_callback(self._left)

    def _left(self, task: "asyncio.Task[None]") -> None:
        self.parts.room.release()

    async def _one(self, work: Work, sent: Prepared, around: Around) -> None:
        """Ask about one input, and keep what comes of it."""
        start = time.monotonic()
        context = Context(around.folder_in(str(work.item)), seed=self.job.seed)
        ask = around.asking.item(work.item, around.past.get(work.item, ()))
        error: MediamillError | None = None
        try:
            outcome = await self.operation.answer(sent, ask, context)
        except Exception as raised:
            error = self._of_item(work.item, raised)
        seconds = time.monotonic() - start
        if error is None:
            await around.keeping.add(Done(work, _with(outcome, ask.answered), seconds))
        elif self._may_pass(error):
            self._late = error
            return
        else:
            log.info(
                "item failed", action="item_failed", item=work.item, code=error.code,
                **self.job.log_context(),
            )  # fmt: skip
            failed = await self.settling.failed(work.item, work.entry, error, seconds)
            await around.flush.add(failed)
        self._done += 1
        self.lease.progress = min(1.0, self._done / max(1, len(self.lease.unit.items)))

    def _may_pass(self, error: MediamillError) -> bool:
        """Tell whether the item is left for another attempt of the unit."""
        return isinstance(error, ProviderUnavailable) and self.lease.unit.attempts < WAITS.get(
            self.job.klass, 0
        )

    def _of_item(self, item: int, error: Exception) -> MediamillError:
        """Return an error as an item's; raises what is one of the surroundings."""
        ours = isinstance(error, LeaseLost | ConditionFailed | StorageFull)
        away = isinstance(error, Unavailable) and not isinstance(error, ProviderUnavailable)
        if ours or away:
            raise error
        if isinstance(error, MediamillError):
            return error
        log.error(
            "an operation failed", action="item_crashed", item=item, exc_info=error,
            **self.job.log_context(),
        )  # fmt: skip
        return MediamillError("The operation failed unexpectedly.", error=repr(error)[:500])

    async def _fail(self, batch: Sequence[Work], ready: Ready, flush: Flush) -> None:
        """Fail inputs that could not be prepared, or leave them for later."""
        by_item = {work.item: work for work in batch}
        for item, why in ready.failures.items():
            if isinstance(why, Failed) and why.code == StorageFull.code:
                raise StorageFull(why.message)  # not the item's fault
            await flush.add(await self.settling.failed(item, by_item[item].entry, why))
        for one in ready.unopened:
            late = may_be_late(one.error, self.lease.unit.attempts)
            if late or isinstance(one.error, Restoring):
                self._late = one.error
            else:
                work = one.work
                await flush.add(await self.settling.failed(work.item, work.entry, one.error))

    # -- inputs together ------------------------------------------------------------------------

    async def _all_together(self, chain: Sequence[Opened], flush: Flush, folder: Path) -> None:
        """Ask once about all that was prepared in the stage before."""
        for item in self.lease.unit.pending():
            entry = (await self.parts.manifests.at(self.job.id, self.stage, [item]))[item]
            asking = await self._asking(chain)
            past = await self.parts.attempts.of_item(self.job.id, self.stage, item)
            start, ask = time.monotonic(), asking.item(item, past)
            made = Path(tempfile.mkdtemp(dir=folder))
            context = Context(made, seed=self.job.seed)
            try:
                inputs = await self._prepared(folder)
                outcome = await self.operation.answer_all(inputs, ask, context)
            except Exception as raised:
                error = self._of_item(item, raised)
                await asking.journal.settle()
                if self._may_pass(error):
                    raise error from None
                await flush.add(await self.settling.failed(item, entry, error))
                continue
            await asking.journal.settle()
            works, _ = await self._loading().load([item])
            done = Done(works[0], _with(outcome, ask.answered), time.monotonic() - start)
            (result,) = await self.settling.succeeded([done])
            await flush.add(result)

    def _loading(self) -> Loading:
        parts = self.parts
        digests = Digests((self.step,), self.cut, self.job.seed, asked=self._named)
        return Loading(self.job, self.stage, self.cut, digests, parts.manifests, parts.lookup)

    async def _prepared(self, folder: Path) -> list[Prepared]:
        """Fetch what the stage before made of each input that went well."""
        found, count, size = list[Prepared](), 0, 0
        async for row in self.parts.rows.walk_stage(self.job.id, self.stage - 1):
            if row.outcome is ItemOutcome.FAILED or row.expired:
                continue
            count, size = count + len(row.files), size + sum(file.size for file in row.files)
            if count > GROUP_FILES or size > GROUP_BYTES:
                raise LimitExceeded("This is more than models can be asked about at once.")
            files = []
            for n, file in enumerate(row.files):
                path = folder / f"{row.item}-{n}"
                path.write_bytes(await self.parts.results.get(file.blob))
                files.append(PreparedFile(path, file.name, file.media_type, file.info))
            seen = row.report.get("input", {})
            facts = SourceFacts(
                seen.get("media_type", ""), seen.get("size", 0), seen.get("width", 0),
                seen.get("height", 0),
            )  # fmt: skip
            found.append(Prepared(row.name, facts, tuple(files), row.data or {}))
        return found


def takes(chain: Sequence[Opened]) -> dict[str, int]:
    """Return what every provider of a chain takes (`ModelOperation.prepare`)."""
    traits = traits_of(chain)
    return {
        "long_side": traits.long_side, "image_bytes": traits.image_bytes,
        "images": traits.images, "input_bytes": traits.input_bytes,
    }  # fmt: skip


def _with(outcome: Outcome, answered: Sequence[dict[str, str]]) -> Outcome:
    """Return an outcome that tells who answered."""
    report = {**outcome.report, "answered": [*answered]}
    return Outcome(outcome.files, outcome.data, report, outcome.left_out)


@contextmanager
def plainly() -> Iterator[None]:
    """Raise the first error of a group of tasks in place of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
