"""The ledger of model calls and what they came to, as the owner of a job sees it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.services.access import Access
from mediamill.store.port import Page
from mediamill.store.repositories.attempts import Attempt, Attempts
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.spending import Spending, Spent


@dataclass(frozen=True)
class JobMoney:
    """What a job's calls have cost, in micro-dollars."""

    cost: int
    """Booked."""
    held: int
    """Taken out for what runs now, of which some comes back."""
    budget: int | None
    spent: Sequence[Spent]
    """By operation, provider and model."""


@dataclass(frozen=True)
class ItemMoney:
    """What the calls for one item cost, in micro-dollars, and who answered, in order."""

    cost: int
    calls: int
    providers: tuple[str, ...]
    fell_through: Sequence[Attempt]
    """Calls and skips that gave nothing."""


@dataclass
class LedgerService:
    """Lists attempts and sums for who owns the job."""

    access: Access
    attempts: Attempts
    spending: Spending

    async def list(
        self,
        principal: Principal,
        job_id: str,
        after: str | None,
        limit: int,
        item: tuple[int, int] | None = None,
    ) -> Page[Attempt]:
        """List a job's attempts, or those of one item (stage, index); raises `NotFound`."""
        job = await self.access.load(principal, Job, job_id)
        if item is None:
            return await self.attempts.of_job(job.id, after, limit)
        return await self.attempts.page_of_item(job.id, *item, after=after, limit=limit)

    async def walk(self, principal: Principal, job_id: str) -> AsyncIterator[Attempt]:
        """Return all of a job's attempts, in constant memory; raises `NotFound`."""
        job = await self.access.load(principal, Job, job_id)
        return self.attempts.walk_job(job.id)

    async def of_job(self, job: Job) -> JobMoney | None:
        """Sum what a job's calls cost; None for one that asks no models."""
        if not job.chains:
            return None
        spent = await self.spending.all_of(job.id)
        held = 0
        if not job.state.terminal:
            held = sum([purse.allotted async for purse in self.spending.purses(job.id)])
        return JobMoney(sum(row.cost for row in spent), held, job.budget, spent)

    async def of_items(
        self, job: Job, items: Sequence[tuple[int, int]]
    ) -> dict[tuple[int, int], ItemMoney]:
        """Sum what the calls for some items (stage, index) cost; none for a job without any."""
        if not job.chains:
            return {}
        found = dict[tuple[int, int], ItemMoney]()
        for stage in dict.fromkeys(stage for stage, _ in items):
            some = [item for at, item in items if at == stage]
            rows = self.attempts.of_items(job.id, stage, some)
            each = [summed(one) async for one in rows]
            found |= zip(((stage, item) for item in some), each, strict=True)
        return found


def summed(rows: Sequence[Attempt]) -> ItemMoney:
    """Sum the attempts of an item."""
    answered = [row.provider for row in rows if row.called and not row.failed and row.ended]
    return ItemMoney(
        cost=sum(row.cost for row in rows),
        calls=sum(row.called for row in rows),
        providers=tuple(dict.fromkeys(answered)),
        fell_through=[row for row in rows if row.failed],
    )
