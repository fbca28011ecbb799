"""Ask about each input of a unit, many at a time.

Inputs are prepared some at a time in a slot, which is given back before anybody is asked: what is
sent lies in scratch files until the call.
"""

import asyncio
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mediamill.adapters.providers.port import Batches
from mediamill.core.errors import QuotaExceeded, Restoring, StorageFull
from mediamill.engine.asking.asking import ItemAsk
from mediamill.engine.asking.batch import AskedLaterError, BatchAsk, Gathering
from mediamill.engine.asking.panel import Opened, traits_of
from mediamill.engine.flush import Flush
from mediamill.engine.retry import may_be_late
from mediamill.engine.slots import Failed
from mediamill.engine.stages import StageKind
from mediamill.handlers.asks.batching import Batching, handed_to
from mediamill.handlers.asks.claim import Claim, with_answers
from mediamill.handlers.asks.preparing import Preparing, Ready, prepared
from mediamill.handlers.items.keeping import Keeping
from mediamill.handlers.items.opening import Opener
from mediamill.handlers.items.reusing import Takeover, reuse_of
from mediamill.handlers.items.settling import Done
from mediamill.handlers.items.steps import Work
from mediamill.operations.asking import Prepared
from mediamill.operations.work import Context
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.reuse import Reuses

AT_ONCE = 16
"""Inputs that are prepared in one slot call."""


@dataclass
class Apart:
    """The items of one claim, each by itself."""

    claim: Claim
    chain: Sequence[Opened]
    flush: Flush
    folder: Path
    past: Mapping[int, Sequence[Attempt]] = field(default_factory=dict)
    """Attempts so far, by item."""

    def __post_init__(self) -> None:
        claim, parts = self.claim, self.claim.parts
        self.asking = claim.asking(self.chain)
        self._opener = Opener(parts.blobs, parts.results, parts.scratch, parts.max_member_bytes)
        self._preparing = Preparing(
            parts.slots, claim.step, claim.job.seed, takes(self.chain), self.folder,
            parts.crash_limit,
        )  # fmt: skip
        self._context = Context(self.folder, seed=claim.job.seed)
        self._gathering: Gathering | None = None
        """Takes the questions that go as a batch, while they are found."""
        self._sent: dict[int, Sequence[Path]] = {}
        """Files that lie in the folder until their item is kept."""
        self._keeping = Keeping(self._keep, quick_seconds=math.inf)

    async def run(self) -> None:
        """Run what has no outcome yet; raises why some items are left for another attempt."""
        claim, batching = self.claim, self._batching()
        if batching is not None:
            await batching.settle()
        works: Sequence[Work] = await self._inputs()
        self.past = await claim.past(works)
        async with self._keeping.ticking():
            if batching is not None and works:
                works = await self._hand_in(works, batching)
            await self._each(works)
            await self._keeping.settle()
        await self.asking.journal.settle()
        if claim.late is not None:
            await self.flush.settle()
            raise claim.late

    async def _inputs(self) -> list[Work]:
        """Load the pending inputs; settle those that are gone, and those that were done before."""
        claim, parts, settling = self.claim, self.claim.parts, self.claim.settling
        works, unfit = await claim.loading(self.chain).load(claim.lease.unit.pending())
        claim.tallying.know(works, unfit)
        for one in unfit:
            await self.flush.add(await settling.failed(one.item, one.entry, one.why))
        if claim.job.reuse:
            takeover = Takeover(parts.results, Reuses(parts.jobs.store))
            works = await takeover.all(claim.job.owner, works, settling, self.flush)
        try:
            await parts.usages.require(claim.job.owner, 1)
        except QuotaExceeded as full:
            for work in works:
                await self.flush.add(await settling.failed(work.item, work.entry, full))
            return []
        return works

    # -- one by one -----------------------------------------------------------------------------

    async def _each(self, works: Sequence[Work]) -> None:
        """Prepare inputs, and ask about each while the next are prepared."""
        measured = self.claim.cut.kind is StageKind.MEASURE
        with plainly():
            async with asyncio.TaskGroup() as group:
                for batch in _batches(works):
                    if self.claim.late is not None:
                        break
                    for work, sent, done in await self._prepared(batch):
                        if measured:
                            await self._keeping.add(done)
                            continue
                        await self.claim.parts.room.acquire()
                        task = group.create_task(self._one(work, sent))
                        task.add_done_callback(self._left)

    async def _prepared(self, batch: Sequence[Work]) -> list[tuple[Work, Prepared, Done]]:
        """Prepare some inputs; return those that were, and settle the others."""
        ready = await self._preparing.all(batch, self._opener)
        await self._settle_unprepared(batch, ready)
        self._sent |= {
            item: [file.path for file in made.files] for item, made in ready.outcomes.items()
        }
        good = [(work, ready.outcomes[work.item]) for work in batch if work.item in ready.outcomes]
        return [(work, prepared(work, made), Done(work, made, 0.0)) for work, made in good]

    def _left(self, task: "asyncio.Task[None]") -> None:
        self.claim.parts.room.release()

    def _ask(self, work: Work) -> ItemAsk | BatchAsk:
        past = self.past.get(work.item, ())
        return (self._gathering or self.asking).item(work.item, past)

    async def _one(self, work: Work, sent: Prepared) -> None:
        """Ask about one input, and keep what comes of it."""
        claim, start, ask = self.claim, time.monotonic(), self._ask(work)
        try:
            outcome = await claim.operation.answer(sent, ask, self._context)
        except AskedLaterError:
            self._clear(work.item)
            return
        except Exception as raised:
            error = claim.of_item(work.item, raised)
            if claim.may_pass(error):
                claim.late = error
                return
            seconds = time.monotonic() - start
            failed = await claim.settling.failed(work.item, work.entry, error, seconds)
            await self.flush.add(failed)
        else:
            made, seconds = with_answers(outcome, ask.answered), time.monotonic() - start
            await self._keeping.add(Done(work, made, seconds))
        claim.noted()

    async def _keep(self, done: Sequence[Done]) -> None:
        owner = self.claim.job.owner
        for result, one in zip(await self.claim.settling.succeeded(done), done, strict=True):
            await self.flush.add(result, reuse_of(owner, one, result))
            self._clear(result.item)

    def _clear(self, item: int) -> None:
        """Remove the files of an item that are not needed any more."""
        for path in self._sent.pop(item, ()):
            path.unlink(missing_ok=True)

    async def _settle_unprepared(self, batch: Sequence[Work], ready: Ready) -> None:
        """Fail inputs that could not be prepared, or leave them for later."""
        claim, by_item = self.claim, {work.item: work for work in batch}
        for item, why in ready.failures.items():
            if isinstance(why, Failed) and why.code == StorageFull.code:
                raise StorageFull(why.message)  # not the item's fault
            await self.flush.add(await claim.settling.failed(item, by_item[item].entry, why))
        for one in ready.unopened:
            late = may_be_late(one.error, claim.lease.unit.attempts)
            if late or isinstance(one.error, Restoring):
                claim.late = one.error
                continue
            failed = await claim.settling.failed(one.work.item, one.work.entry, one.error)
            await self.flush.add(failed)

    # -- as a batch -----------------------------------------------------------------------------

    def _batching(self) -> Batching | None:
        """Return how the unit's questions go as a batch, if the job and who is asked allow it."""
        claim, parts = self.claim, self.claim.parts
        if claim.cut.kind is not StageKind.RUN or not claim.job.batch:
            return None
        name = handed_to(claim.lease.unit) or self.chain[0].provider.name
        opened = next((one for one in self.chain if one.provider.name == name), None)
        if opened is None or not isinstance(opened.provider, Batches):
            return None
        return Batching(
            claim.lease, self.asking, opened, claim.stage, parts.attempts, parts.models.booking
        )

    async def _hand_in(self, works: Sequence[Work], batching: Batching) -> Sequence[Work]:
        """Hand in what is asked next of inputs, unless it is too little for a batch.

        Return the inputs that are to be asked about at once. Those of which nothing goes as a batch
        have their outcome by then.
        """
        opened = batching.opened
        gathering = self._gathering = Gathering(self.asking, opened, self.folder, batching.over)
        await self._each(works)
        self._gathering = None
        await self._keeping.settle()
        await self.asking.journal.settle()
        wanted = gathering.wanted
        if self.claim.late is None and (batching.noted or len(wanted) >= opened.batches.least):
            await batching.hand_in(wanted)
        items = {one.row.item for one in wanted}
        left = [work for work in works if work.item in items]
        self.past = await self.claim.attempts_of(left)
        return left


def takes(chain: Sequence[Opened]) -> dict[str, int]:
    """Return what every provider of a chain takes (`ModelOperation.prepare`)."""
    traits = traits_of(chain)
    return {
        "long_side": traits.long_side, "image_bytes": traits.image_bytes,
        "images": traits.images, "input_bytes": traits.input_bytes,
    }  # fmt: skip


def _batches(works: Sequence[Work]) -> Iterator[Sequence[Work]]:
    for start in range(0, len(works), AT_ONCE):
        yield works[start : start + AT_ONCE]


@contextmanager
def plainly() -> Iterator[None]:
    """Raise the first error of a group of tasks in place of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
