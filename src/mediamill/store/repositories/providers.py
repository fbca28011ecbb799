"""Providers of model calls that an administrator set up, and the chains that operations ask."""

from collections.abc import Sequence
from typing import Any

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Store

ALL = "all"


class ProviderRow(Record, frozen=True, kw_only=True):
    """A provider as it was set up (`adapters/providers/config.py` says what the fields mean)."""

    table = "providers"
    key = Key("name")
    indexes = (
        Index("provider_all", ("listed",), ("name",)),
        Index("provider_sealed", ("sealed_by",), ("name",)),
    )
    sealed = ("secret",)

    name: str
    address: str
    base_url: str = ""
    secret: str = ""
    """The key that it is called with, sealed; empty for none."""
    sealed_by: str | None = None
    region: str = ""
    concurrency: int = 16
    per_minute: int | None = None
    timeout: float = 60.0
    price: dict[str, Any] | None = None
    """Its own prices, as in `prices.toml`."""
    options: dict[str, str] = {}
    revision: int = 1
    """Grows with every change, so that workers open it anew."""
    created: int
    by: str = ""
    """Id of the administrator who changed it last."""
    listed: str = ALL


class ChainRow(Record, frozen=True, kw_only=True):
    """Whom an operation asks, in order, where the settings do not stand."""

    table = "chains"
    key = Key("operation")
    indexes = (Index("chain_all", ("listed",), ("operation",)),)

    operation: str
    providers: tuple[str, ...]
    """Names, or addresses."""
    listed: str = ALL


class ProviderRows:
    """Reads of what was set up."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, name: str) -> ProviderRow | None:
        return await self.store.get(ProviderRow, name)

    async def all(self) -> Sequence[ProviderRow]:
        """Return all providers that were set up, by name."""
        index, found, after = ProviderRow.index("provider_all"), list[ProviderRow](), None
        while True:
            page = await self.store.query(ProviderRow, index, ALL, after=after)
            found += page.rows
            if (after := page.after) is None:
                return found

    async def chains(self) -> dict[str, tuple[str, ...]]:
        """Return the chains that were set up, by operation."""
        page = await self.store.query(ChainRow, ChainRow.index("chain_all"), ALL)
        return {row.operation: row.providers for row in page.rows}
