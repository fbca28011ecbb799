"""What commands of `mediamill admin` work on: the store that the settings name.

The service may run meanwhile. What is done goes into the audit trail as the operator's.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from mediamill.adapters.secrets.opening import SettingSources
from mediamill.cli.remote.home import read_all_settings
from mediamill.core.acts import Origin, collecting
from mediamill.core.backups import refuse_unrestored
from mediamill.core.clock import SystemClock
from mediamill.core.logs import configure_logging
from mediamill.services.audit.trail import Trail
from mediamill.store.opening import open_store
from mediamill.store.port import Store
from mediamill.store.repositories.audit import OPERATOR

T = TypeVar("T")


def administer(act: Callable[[Store], Awaitable[T]]) -> T:
    """Do something with the store of the settings."""
    configure_logging("text", "error")  # what is done is told by the command, and in the trail
    settings = read_all_settings()
    refuse_unrestored(settings.home)

    async def done() -> T:
        store = await open_store(SettingSources(settings).of("store_url"))
        try:
            async with as_operator(store, "mediamill admin"):
                return await act(store)
        finally:
            await store.close()

    return asyncio.run(done())


@asynccontextmanager
async def as_operator(store: Store, agent: str) -> AsyncIterator[None]:
    """Write what is done in the block into the audit trail; `agent` is the command that does it."""
    trail = Trail(store, SystemClock())
    try:
        with collecting(Origin(agent=agent)) as acts:
            try:
                yield
            finally:
                await trail.write(acts, OPERATOR)
    finally:
        await trail.close()
