"""What administrators let people spend on model calls in a month, in place of the settings."""

from collections.abc import Sequence

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Delete, Page, Put, Store

ALL = "all"


class BudgetRow(Record, frozen=True, kw_only=True):
    """The most that one user, or `everybody` together, may spend in a month."""

    table = "budgets"
    key = Key("scope")
    indexes = (Index("budget_all", ("listed",), ("scope",)),)

    scope: str
    """Id of a user, or `everybody` (`spending.EVERYBODY`)."""
    monthly: int | None = None
    """Micro-dollars; None for no limit."""
    changed: int
    by: str = ""
    """Id of the administrator who set it."""
    listed: str = ALL


class BudgetRows:
    """Reads and writes of budgets."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, *scopes: str) -> Sequence[BudgetRow | None]:
        """Return the budgets of at most 100 scopes, None for each that has none of its own."""
        return await self.store.get_many(BudgetRow, [(scope,) for scope in scopes])

    async def all(self, after: str | None = None, limit: int = 100) -> Page[BudgetRow]:
        """List all budgets by their scopes."""
        index = BudgetRow.index("budget_all")
        return await self.store.query(BudgetRow, index, ALL, after=after, limit=limit)

    async def put(self, row: BudgetRow) -> None:
        """Set a budget."""
        await self.store.transact(Put(row))

    async def remove(self, scope: str) -> None:
        """Let the settings stand again."""
        await self.store.transact(Delete(BudgetRow, (scope,)))
