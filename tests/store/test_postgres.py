"""The contract on a real PostgreSQL, and its own promises."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import psycopg
import pytest
import pytest_asyncio
from hypothesis import Phase
from tests.contracts.store_contract import KINDS, StoreContract
from tests.contracts.store_model import StoresAgree, run
from tests.support.postgres import PostgresServer, postgres_server

from mediamill.store.opening import open_store
from mediamill.store.sql.postgres.store import PostgresStore

numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


class TestPostgres(StoreContract):
    @pytest_asyncio.fixture
    async def store(self, server: PostgresServer) -> AsyncIterator[PostgresStore]:
        address = server.database(f"contract-{next(numbers)}")
        store = await open_store(address, extra_kinds=KINDS)
        yield store
        await store.close()


# -- R17 --------------------------------------------------------------------------------------


@pytest.fixture
def machine(server: PostgresServer) -> type[StoresAgree]:
    address = server.database(f"model-{next(numbers)}")

    class PostgresAgrees(StoresAgree):
        async def opened(self) -> PostgresStore:
            store = await open_store(address, extra_kinds=KINDS)
            with psycopg.connect(address, autocommit=True) as connection:
                for kind in KINDS:
                    connection.execute(f'TRUNCATE "{kind.table}"'.encode())
            return store

    return PostgresAgrees


def test_postgres_is_what_memory_is(machine: type[StoresAgree]):
    run(machine, examples=20, steps=20)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_postgres_is_what_memory_is_for_long(machine: type[StoresAgree]):
    run(machine, examples=500, steps=50)


def test_the_comparison_notices_a_difference(machine: type[StoresAgree], monkeypatch):
    """A planted fault: text is compared as people sort it, not by code point."""
    from mediamill.store.sql import statements

    original = statements.TableStatements.query

    def faulty(self, listing):
        found = original(self, listing)
        sql = found.sql.replace('ORDER BY "text"', 'ORDER BY "text" COLLATE "en-x-icu"')
        return statements.Statement(sql, found.values, found.expect)

    monkeypatch.setattr(statements.TableStatements, "query", faulty)
    with pytest.raises(AssertionError):
        run(machine, examples=60, steps=30, phases=[Phase.generate])
