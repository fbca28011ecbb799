"""Change the stores that a program of ours opens, whatever kind they are of."""

from collections.abc import Callable

from mediamill import parts
from mediamill.core.clock import Clock
from mediamill.store.port import Store


def each_store(change: Callable[[Store], None]) -> None:
    """Let `change` alter every store that this process opens from now on."""
    real = parts.open_store

    async def open_store(url: str, clock: Clock | None = None) -> Store:
        store = await real(url, clock=clock)
        change(store)
        return store

    parts.open_store = open_store
