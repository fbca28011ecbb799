"""One claim of a unit whose items ask models: what it works on, whom it asks, who pays."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import (
    ConditionFailed,
    MediamillError,
    ProviderUnavailable,
    StorageFull,
    Unavailable,
)
from mediamill.engine.asking.answers import Answers
from mediamill.engine.asking.asking import Asking, settle_dead
from mediamill.engine.asking.journal import Journal
from mediamill.engine.asking.models import Models
from mediamill.engine.asking.money import Money
from mediamill.engine.asking.panel import Opened, seated
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.reuse import Digests
from mediamill.engine.slots import SlotPool
from mediamill.engine.stages import Stage, StageKind
from mediamill.engine.tallying import Tallying
from mediamill.handlers.asks.batching import paid_by
from mediamill.handlers.items.loading import Loading
from mediamill.handlers.items.settling import Settling
from mediamill.handlers.items.steps import Work, stage_of, stored
from mediamill.media.archive.read import MAX_MEMBER_BYTES
from mediamill.operations.asking import ModelOperation
from mediamill.operations.catalogue import Catalogue
from mediamill.operations.work import Outcome
from mediamill.store.repositories.attempts import Attempt, Attempts
from mediamill.store.repositories.jobs import Job, Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import Results
from mediamill.store.repositories.spending import EVERYBODY, Purse, Spending, day_of
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)

WAITS = {"interactive": 4, "bulk": 10}
"""Attempts of a unit after which an item fails although its providers may come back: seconds where
somebody waits, minutes else."""


@dataclass(frozen=True)
class Parts:
    """What all claims share."""

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


@dataclass
class Claim:
    """A unit in this worker's hands."""

    parts: Parts
    lease: Lease
    job: Job
    late: MediamillError | None = None
    """Why some inputs are left for another attempt."""
    _money: Money | None = None
    journal: Journal = field(init=False)
    """Writes the rows of its calls."""
    _done: int = field(init=False)

    def __post_init__(self) -> None:
        parts, unit = self.parts, self.lease.unit
        self.stage = int(unit.payload["stage"])
        self.journal = Journal(self.lease)
        self.cut = stage_of(parts.catalogue, self.job, self.stage)
        (self.step,) = stored(self.job, self.cut)
        self.lease.operation = self.step.operation
        inner = self.cut.kind is StageKind.MEASURE
        self.settling = Settling(parts.lookup, parts.results, self.job, unit, inner=inner)
        self.tallying = Tallying((self.step.operation,), inner)
        self._done = len(unit.items) - len(unit.pending())
        self._named = self.job.chains.get(str(self.cut.first), ())

    @property
    def operation(self) -> ModelOperation:
        step = self.cut.steps[-1]
        if not isinstance(step, ModelOperation):
            raise TypeError(f"{self.step.operation} asks no models")
        return step

    def loading(self, chain: Sequence[Opened]) -> Loading:
        """Return what loads the unit's inputs, about which a chain is asked."""
        return self._loading(chain, self.stage, self.cut)

    def loading_members(self, chain: Sequence[Opened]) -> Loading:
        """Return what loads the inputs of the set that the unit is about."""
        before = self.stage - 1
        return self._loading(chain, before, stage_of(self.parts.catalogue, self.job, before))

    def _loading(self, chain: Sequence[Opened], stage: int, cut: Stage) -> Loading:
        parts, asked = self.parts, [one.identity for one in chain]
        digests = Digests((self.step,), cut, self.job.seed, asked=asked)
        return Loading(self.job, stage, cut, digests, parts.manifests, parts.lookup)

    # -- who is asked, and who pays -----------------------------------------------------------

    @asynccontextmanager
    async def chain(self) -> AsyncIterator[list[Opened]]:
        """Use whom the job's step asks; raises the first's error where none can be opened."""
        models = self.parts.models
        async with seated(models.panel, await models.chains.of_job(self._named)) as opened:
            yield opened

    @asynccontextmanager
    async def paying(self) -> AsyncIterator[None]:
        """Give the claim a purse, which is closed when the block is over and the unit still held.

        All rows are durable by then; where they are not, the purse is left open. Purses of claims
        that ended otherwise are closed first; that of a batch stays open.
        """
        parts, unit = self.parts, self.lease.unit
        booking = parts.models.booking
        async for purse in parts.spending.purses(self.job.id, unit.seq):
            if purse.fence != paid_by(unit):
                await settle_dead(parts.attempts, booking, purse, self.stage, unit.items)
        now = await parts.jobs.store.now()
        purse = Purse(
            job=self.job.id, unit=unit.seq, fence=unit.fence, owner=self.job.owner,
            day=day_of(now), bounded=(self.job.id, self.job.owner, EVERYBODY), created=now,
        )  # fmt: skip
        budgets = await parts.models.budgets_of(self.job.owner, self.job.budget)
        self._money = Money(booking, purse, budgets, meter=parts.models.meter)
        ours = True
        try:
            yield
        except LeaseLost:
            ours = False
            raise
        finally:
            ours = ours and not self.lease.lost
            if ours and paid_by(self.lease.unit) != unit.fence:
                with suppress(Exception):  # the next claim does it, or the sweep, by the rows
                    await self.journal.settle()
                    await self._money.close()

    def asking(self, chain: Sequence[Opened]) -> Asking:
        """Return what asks for items of the unit, within `paying`."""
        parts, unit = self.parts, self.lease.unit
        if self._money is None:
            raise RuntimeError("nobody pays")
        blank = Attempt(
            of="", name="", number=0, job=self.job.id, stage=self.stage, item=0,
            owner=self.job.owner, day=self._money.purse.day, operation=self.step.operation,
            provider="", unit=unit.seq, purse=unit.fence, began=0,
        )  # fmt: skip
        return Asking(
            chain, parts.models.gate, self.journal, self._money, parts.jobs.store, blank,
            Answers(parts.results), parts.seconds,
        )  # fmt: skip

    async def past(self, works: Sequence[Work]) -> Mapping[int, Sequence[Attempt]]:
        """Return the attempts so far of items, by item; none of a job's first claim of a unit."""
        if self.lease.unit.fence == 1 and self.job.generation == 1:
            return {}
        return await self.attempts_of(works)

    async def attempts_of(self, works: Sequence[Work]) -> Mapping[int, Sequence[Attempt]]:
        """Return all attempts of items, by item."""
        items = [work.item for work in works]
        found = self.parts.attempts.of_items(self.job.id, self.stage, items)
        return dict(zip(items, [rows async for rows in found], strict=True))

    # -- what comes of items ------------------------------------------------------------------

    def noted(self) -> None:
        """Note that an item has its outcome."""
        self._done += 1
        self.lease.progress = min(1.0, self._done / max(1, len(self.lease.unit.items)))

    def may_pass(self, error: MediamillError) -> bool:
        """Tell whether an item is left for another attempt of the unit."""
        most = WAITS.get(self.job.klass, 0)
        return isinstance(error, ProviderUnavailable) and self.lease.unit.attempts < most

    def of_item(self, item: int, error: Exception) -> MediamillError:
        """Return an error as an item's; raises what is one of the surroundings."""
        ours = isinstance(error, LeaseLost | ConditionFailed | StorageFull)
        away = isinstance(error, Unavailable) and not isinstance(error, ProviderUnavailable)
        if ours or away:
            raise error
        if isinstance(error, MediamillError):
            log.info(
                "item failed", action="item_failed", item=item, code=error.code,
                **self.job.log_context(),
            )  # fmt: skip
            return error
        log.error(
            "an operation failed", action="operation_failed", item=item, exc_info=error,
            **self.job.log_context(),
        )  # fmt: skip
        return MediamillError("The operation failed unexpectedly.", error=type(error).__name__)


def with_answers(outcome: Outcome, answered: Sequence[dict[str, str]]) -> Outcome:
    """Return an outcome that tells who answered."""
    report = {**outcome.report, "answered": [*answered]}
    return Outcome(outcome.files, outcome.data, report, outcome.left_out)
