"""The contract on a real PostgreSQL, and R17; the soak's 500 histories take about three minutes."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
import pytest_asyncio
from hypothesis import Phase
from tests.contracts.store_contract import KINDS, StoreContract
from tests.contracts.store_model import StoresAgree, run
from tests.support.places import Servers

from mediamill.store.opening import open_store
from mediamill.store.sql.postgres import committing
from mediamill.store.sql.postgres.store import PostgresStore


@pytest.fixture(scope="module")
def database(servers: Servers) -> str:
    return servers.postgres.database("contract")


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


async def emptied(database: str, connection: psycopg.Connection) -> PostgresStore:
    """Open the store with nothing in the tables of the contract."""
    store = await open_store(database, extra_kinds=KINDS)
    for kind in KINDS:
        connection.execute(f'DELETE FROM "{kind.table}"'.encode())
    assert isinstance(store, PostgresStore)
    return store


class TestPostgres(StoreContract):
    @pytest_asyncio.fixture
    async def store(
        self, database: str, connection: psycopg.Connection
    ) -> AsyncIterator[PostgresStore]:
        store = await emptied(database, connection)
        yield store
        await store.close()


# -- R17 --------------------------------------------------------------------------------------


@pytest.fixture
def machine(database: str, connection: psycopg.Connection) -> type[StoresAgree]:
    class PostgresAgrees(StoresAgree):
        async def opened(self) -> PostgresStore:
            return await emptied(database, connection)

    return PostgresAgrees


def test_postgres_is_what_memory_is(machine: type[StoresAgree]):
    run(machine, examples=20, steps=20)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_postgres_is_what_memory_is_for_long(machine: type[StoresAgree]):
    run(machine, examples=500, steps=50)


def test_the_comparison_notices_a_difference(
    machine: type[StoresAgree], monkeypatch: pytest.MonkeyPatch
):
    """A planted fault: a guard that fails is overlooked."""
    monkeypatch.setattr(committing, "_met", lambda *_: True)
    with pytest.raises(AssertionError):
        run(machine, examples=60, steps=30, phases=[Phase.generate])
