"""Sums over the whole installation, for who watches it: what is kept, what is spent.

Nothing counts them as things happen, for one row of sums would be the one that all writers wait
for. They are added up of each owner's usage and of the ledger when somebody asks, and hold for five
minutes: 10,000 accounts are 110 calls of each server, for which DynamoDB charges 10,000 items. The
month's ledger is read whole: a row for each owner, operation, provider and model.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from mediamill.services.models.spending import SpendingService
from mediamill.store.port import MAX_ACTIONS, MAX_PAGE, Store
from mediamill.store.repositories.spending import EVERYBODY, day_of
from mediamill.store.repositories.usage import Usage
from mediamill.store.repositories.users import Role, User

HOLDS_SECONDS = 300.0
"""How long a sum holds, for all who ask."""


@dataclass(frozen=True)
class Kept:
    """What all owners keep, and have open."""

    accounts: int = 0
    bytes: int = 0
    results: int = 0
    """Of the bytes, those of results."""
    files: int = 0
    jobs: int = 0


@dataclass(frozen=True)
class Spend:
    """What model calls cost, in micro-dollars."""

    today: int
    month: Mapping[str, int]
    """By provider."""
    budget: int | None
    """What a month's may cost; None where nothing bounds it."""
    taken: int
    """Of a budget: spent, and held for calls that are under way."""


@dataclass
class Sums:
    """Adds them up."""

    store: Store
    spending: SpendingService
    _kept: Kept | None = None
    _kept_at: float = 0.0
    _spend: Spend | None = None
    _spend_at: float = 0.0

    async def kept(self) -> Kept:
        """Return what is kept; it may be five minutes old."""
        if self._kept is None or monotonic() - self._kept_at >= HOLDS_SECONDS:
            found = Kept()
            for role in Role:
                async for owners in self._owners(role):
                    found = await self._with(found, owners)
            self._kept, self._kept_at = found, monotonic()
        return self._kept

    async def spend(self) -> Spend:
        """Return what was spent; it may be five minutes old."""
        if self._spend is None or monotonic() - self._spend_at >= HOLDS_SECONDS:
            day = day_of(await self.store.now())
            days = await self.spending.spending.days(EVERYBODY, day[:7])
            allowed = await self.spending.allowance(EVERYBODY, day[:7])
            today = sum(row.cost for row in days if row.day == day)
            by_provider = await self._by_provider(day[:7])
            self._spend = Spend(today, by_provider, allowed.most, allowed.taken)
            self._spend_at = monotonic()
        return self._spend

    async def _owners(self, role: Role) -> AsyncIterator[Sequence[str]]:
        """List the ids of accounts, as many at a time as can be looked up together."""
        after: str | None = None
        while True:
            page = await self.store.query(
                User, User.index("user_role"), role, after=after, limit=MAX_PAGE
            )
            for first in range(0, len(page.rows), MAX_ACTIONS):
                yield [user.id for user in page.rows[first : first + MAX_ACTIONS]]
            if (after := page.after) is None:
                return

    async def _with(self, found: Kept, owners: Sequence[str]) -> Kept:
        rows = await self.store.get_many(Usage, [(owner,) for owner in owners])
        used = [row for row in rows if row is not None]
        return Kept(
            accounts=found.accounts + len(owners),
            bytes=found.bytes + sum(row.bytes for row in used),
            results=found.results + sum(row.results for row in used),
            files=found.files + sum(row.files for row in used),
            jobs=found.jobs + sum(row.jobs for row in used),
        )

    async def _by_provider(self, month: str) -> Mapping[str, int]:
        found, after = Counter[str](), None
        while True:
            page = await self.spending.spending.of_everybody(month, after, MAX_PAGE)
            for row in page.rows:
                found[row.provider] += row.cost
            if (after := page.after) is None:
                return found
