from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.contracts.store_contract import StoreContract

from mediamill.core.clock import FixedClock
from mediamill.core.errors import ConfigurationError
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store


class TestMemory(StoreContract):
    @pytest_asyncio.fixture
    async def store(self) -> AsyncIterator[MemoryStore]:
        store = await open_store("memory:")
        yield store
        await store.close()


async def test_the_clock_is_the_one_given():
    clock = FixedClock(5)
    store = MemoryStore(clock)
    clock.advance(7)
    assert await store.now() == 12


async def test_a_parameter_is_refused():
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STORE_URL"):
        await open_store("memory:?size=5")
