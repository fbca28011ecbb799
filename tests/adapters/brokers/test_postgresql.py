"""The contract through a real PostgreSQL, and what a restart of it does."""

import asyncio

import pytest

from mediamill.adapters.brokers.opening import open_bell
from mediamill.core.errors import ConfigurationError
from tests.contracts.doorbell_contract import DoorbellContract, heard
from tests.support.postgres import postgres_server


@pytest.fixture(scope="module")
def server():
    with postgres_server() as running:
        yield running


class TestPostgresql(DoorbellContract):
    @pytest.fixture
    async def bell(self, server):
        bell = open_bell("postgresql:", server.url())
        yield bell
        await bell.close()

    @pytest.fixture
    async def other(self, server):
        bell = open_bell(server.url(), "sqlite:///elsewhere")
        yield bell
        await bell.close()

    async def test_it_rings_again_after_a_restart(self, server, bell, other):
        with other.listen("a") as ear:
            await heard(bell, "a", ear)
            await asyncio.to_thread(server.control, "-m", "immediate", "stop")
            ear.clear()
            await bell.ring("a")  # lost
            await asyncio.to_thread(server.start)
            assert await ear.wait(20), "nobody is told to look for what was missed"
            ear.clear()
            await heard(bell, "a", ear)


def test_a_store_that_cannot_ring_is_refused():
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BROKER_URL"):
        open_bell("postgresql:", "sqlite:///elsewhere")
