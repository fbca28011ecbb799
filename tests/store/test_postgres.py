"""The contract on a real PostgreSQL, and its own promises."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest
import pytest_asyncio
from tests.contracts.store_contract import KINDS, StoreContract
from tests.support.postgres import PostgresServer, postgres_server

from mediamill.store.opening import open_store
from mediamill.store.sql.postgres.store import PostgresStore

numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="module")
def template(server: PostgresServer) -> str:
    return server.database("contract")


class TestPostgres(StoreContract):
    @pytest_asyncio.fixture
    async def store(self, server: PostgresServer) -> AsyncIterator[PostgresStore]:
        address = server.database(f"contract-{next(numbers)}")
        store = await open_store(address, extra_kinds=KINDS)
        yield store
        await store.close()
