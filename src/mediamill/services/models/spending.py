"""What callers have spent on model calls, what they may, and what administrators let them."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import InvalidInput, NotFound
from mediamill.engine.asking.models import Models
from mediamill.services.roles import require_admin, require_analyst
from mediamill.store.port import Page, Store
from mediamill.store.repositories.budgets import BudgetRow
from mediamill.store.repositories.spending import (
    EVERYBODY,
    MICRO,
    Account,
    Spending,
    Spent,
    SpentDay,
    month_of,
)
from mediamill.store.repositories.users import User

log = structlog.get_logger(__name__)

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
AT_ONCE = 100
"""Users that are looked up together (`Store.get_many`)."""
MOST = 1_000_000
"""Dollars of a budget."""


@dataclass(frozen=True)
class Allowance:
    """What bounds calls in a month, in micro-dollars; `most` is None for no limit."""

    most: int | None
    taken: int
    """Spent, and held for calls that are under way."""
    spent: int = 0
    """Of it, booked: people are told of parts of a budget by this."""
    own: bool = False
    """Whether an administrator set it, rather than the settings."""

    @property
    def left(self) -> int | None:
        return None if self.most is None else max(0, self.most - self.taken)


@dataclass(frozen=True)
class Month:
    """What somebody spent in a month."""

    month: str
    spent: Sequence[Spent]
    days: Sequence[SpentDay]
    """Those on which models were asked, in order."""
    allowance: Allowance

    @property
    def cost(self) -> int:
        return sum(row.cost for row in self.spent)


@dataclass(frozen=True)
class UserSpent:
    """A sum of somebody's, and who that is; None for who is gone."""

    spent: Spent
    user: User | None


@dataclass
class SpendingService:
    """Tells what was spent; sets budgets, for administrators."""

    store: Store
    models: Models
    spending: Spending

    async def mine(self, principal: Principal, month: str | None = None) -> Month:
        """Return what the caller spent in a month, this one if none is named.

        Raises `InvalidInput` for what is no month.
        """
        month = await self.month(month)
        user, spending = principal.user, self.spending
        spent, days = await spending.all_of(user, month), await spending.days(user, month)
        return Month(month, spent, days, await self.allowance(user, month))

    async def allowance(self, scope: str, month: str) -> Allowance:
        """Return what bounds a user, or `everybody`, in a month."""
        return (await self.allowances([scope], month))[scope]

    async def allowances(self, scopes: Sequence[str], month: str) -> dict[str, Allowance]:
        """Return what bounds several of them, each looked up once."""
        budgets, found = self.models.budgets, dict[str, Allowance]()
        for start in range(0, len(scopes), AT_ONCE):
            some = scopes[start : start + AT_ONCE]
            rows = await self.models.limits.get(*some)
            accounts = await self.store.get_many(Account, [(scope, month) for scope in some])
            for scope, row, account in zip(some, rows, accounts, strict=True):
                usual = budgets.everybody if scope == EVERYBODY else budgets.owner
                most = usual if row is None else row.monthly
                taken, spent = (account.taken, account.spent) if account else (0, 0)
                found[scope] = Allowance(most, taken, spent, row is not None)
        return found

    async def everybody(self, principal: Principal, month: str | None = None) -> Month:
        """Return the sums of all in a month, without those by model; for analysts."""
        require_analyst(principal)
        month = await self.month(month)
        days = await self.spending.days(EVERYBODY, month)
        return Month(month, (), days, await self.allowance(EVERYBODY, month))

    async def users(
        self, principal: Principal, month: str | None, after: str | None, limit: int
    ) -> Page[UserSpent]:
        """List what everybody spent in a month, by user; for analysts."""
        require_analyst(principal)
        page = await self.spending.of_everybody(await self.month(month), after, limit)
        owners = [*dict.fromkeys(row.owner for row in page.rows)]
        found = await self.store.get_many(User, [(owner,) for owner in owners]) if owners else []
        known = dict(zip(owners, found, strict=True))
        return Page(tuple(UserSpent(row, known[row.owner]) for row in page.rows), page.after)

    async def walk_users(self, principal: Principal, month: str | None) -> AsyncIterator[UserSpent]:
        """Return what everybody spent, in constant memory; for analysts."""
        require_analyst(principal)
        chosen = await self.month(month)

        async def rows() -> AsyncIterator[UserSpent]:
            after: str | None = None
            while True:
                page = await self.users(principal, chosen, after, AT_ONCE)
                for row in page.rows:
                    yield row
                if (after := page.after) is None:
                    return

        return rows()

    async def month(self, month: str | None) -> str:
        """Return a month as it is written, this one for None; raises `InvalidInput`."""
        if month is None:
            return month_of(await self.store.now())
        if not MONTH.fullmatch(month):
            raise InvalidInput.at("month", "A month is written like 2026-11.")
        return month

    # -- budgets ------------------------------------------------------------------------------

    async def budgets(self, principal: Principal, after: str | None, limit: int) -> Page[BudgetRow]:
        """List the budgets that administrators set; administrators only."""
        require_admin(principal)
        return await self.models.limits.all(after, limit)

    async def budget(self, principal: Principal, scope: str) -> Allowance:
        """Return what bounds a user, or `everybody`, this month; administrators only.

        Raises `NotFound`.
        """
        await self._scope(principal, scope)
        return await self.allowance(scope, await self.month(None))

    async def set_budget(
        self, principal: Principal, scope: str, dollars: float | None
    ) -> Allowance:
        """Let a user, or `everybody` together, spend so much a month, None: without a limit.

        It holds for calls of units that are claimed from now on. Raises `NotFound`, `InvalidInput`.
        """
        await self._scope(principal, scope)
        if dollars is not None and not 0 <= dollars <= MOST:
            raise InvalidInput.at("monthly", f"is from 0 to {MOST:,} dollars.")
        monthly = None if dollars is None else round(dollars * MICRO)
        now = await self.store.now()
        row = BudgetRow(scope=scope, monthly=monthly, changed=now, by=principal.user)
        await self.models.limits.put(row)
        note("budget_set", scope, monthly=monthly)
        return await self.budget(principal, scope)

    async def drop_budget(self, principal: Principal, scope: str) -> None:
        """Let the settings stand again; raises `NotFound`."""
        await self._scope(principal, scope)
        await self.models.limits.remove(scope)
        note("budget_dropped", scope)

    async def _scope(self, principal: Principal, scope: str) -> None:
        require_admin(principal)
        if scope != EVERYBODY and await self.store.get(User, scope) is None:
            raise NotFound(f"There is no user {scope}.")
