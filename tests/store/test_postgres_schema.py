"""PostgreSQL's tables are the declared ones; migrations fail whole; each query has its index."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import psycopg
import pytest
from tests.contracts.store_contract import KINDS
from tests.store.test_schema import example
from tests.support.places import Servers

from mediamill.core.errors import ConfigurationError
from mediamill.core.records import Index, Record
from mediamill.store.calls import listing_of
from mediamill.store.opening import open_store
from mediamill.store.port import key_index
from mediamill.store.sql.migrate import Migration, migrations
from mediamill.store.sql.postgres import claiming
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.migrating import migrate_next
from mediamill.store.sql.postgres.pool import Pool
from mediamill.store.sql.schema import ddl, declared_kinds
from mediamill.store.sql.statements import POSTGRES, statements_of

Known = tuple[Migration, ...]
COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, collation_name
    FROM information_schema.columns WHERE table_schema = 'public'"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
numbers = count()


@pytest.fixture
def empty(servers: Servers) -> str:
    return servers.postgres.database(f"schema-{next(numbers)}")


@pytest.fixture(scope="module")
def declared(servers: Servers) -> Iterator[psycopg.Connection]:
    """A database with exactly the declared tables."""
    url = servers.postgres.database("declared")
    with psycopg.connect(Address.of(url).conninfo, autocommit=True) as connection:
        connection.execute(ddl((*declared_kinds(), *KINDS), POSTGRES).encode())
        yield connection


def describe(
    connection: psycopg.Connection, leave: tuple[str, ...] = ()
) -> set[tuple[object, ...]]:
    """Describe all columns and indexes but those of some tables."""
    found = [*connection.execute(COLUMNS), *connection.execute(INDEXES)]
    return {row for row in found if not any(name in " ".join(map(str, row)) for name in leave)}


async def migrated(url: str, known: Known) -> None:
    connection = await Pool(Address.of(url)).connect()
    try:
        while await migrate_next(connection, known):
            pass
    finally:
        await connection.close()


SERVICES = ("contract_", "schema_version")


async def test_the_migrations_make_exactly_the_declared_schema(
    empty: str, declared: psycopg.Connection
):
    await migrated(empty, migrations("postgres"))
    with psycopg.connect(empty) as connection:
        assert describe(connection, SERVICES) == describe(declared, SERVICES)
        assert len(describe(connection, SERVICES)) > 200


@pytest.mark.parametrize(
    "drift",
    [
        'ALTER TABLE "jobs" ADD COLUMN "extra" TEXT',
        'ALTER TABLE "jobs" DROP COLUMN "error"',
        'ALTER TABLE "jobs" ALTER COLUMN "error" TYPE TEXT COLLATE "default"',
        'DROP INDEX "job_listed"; CREATE INDEX "job_listed" ON "jobs" ("listed", "id")',
        'DROP INDEX "job_listed"',
    ],
)
def test_a_drift_of_the_schema_is_noticed(declared: psycopg.Connection, drift: str):
    before = describe(declared)
    with declared.transaction(force_rollback=True):
        declared.execute(drift.encode())
        assert describe(declared) != before
    assert describe(declared) == before


async def test_migrations_continue_where_they_stopped_and_fail_whole(empty: str):
    one = Migration(1, "one", "CREATE TABLE a (x TEXT)")
    two = Migration(2, "two", "CREATE TABLE b (x TEXT); CREATE TABLE a (x TEXT)")
    mended = Migration(2, "two", "CREATE TABLE b (x TEXT); INSERT INTO a VALUES ('kept')")
    with psycopg.connect(empty, autocommit=True) as connection:

        def tables() -> list[tuple[object, ...]]:
            return sorted(connection.execute("SELECT table_name FROM information_schema.tables "
                                             "WHERE table_schema = 'public'"))  # fmt: skip

        await migrated(empty, (one,))
        with pytest.raises(psycopg.Error):
            await migrated(empty, (one, two))
        assert tables() == [("a",), ("schema_version",)]
        await migrated(empty, (one, mended))
        await migrated(empty, (one, mended))
        assert tables() == [("a",), ("b",), ("schema_version",)]
        versions = connection.execute("SELECT version, name FROM schema_version ORDER BY 1")
        assert versions.fetchall() == [(1, "one"), (2, "two")]
        assert connection.execute("SELECT x FROM a").fetchall() == [("kept",)]


async def test_a_newer_schema_is_refused_unless_it_says_we_fit(empty: str):
    await (await open_store(empty)).close()
    ours = len(migrations("postgres"))
    with psycopg.connect(empty, autocommit=True) as connection:
        row = f"INSERT INTO schema_version VALUES (99, 'future', 0, {ours})"
        connection.execute(row.encode())
        await (await open_store(empty)).close()
        connection.execute("UPDATE schema_version SET compatible = 99 WHERE version = 99")
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STORE_URL.*version 99.*newer"):
        await open_store(empty)


# -- plans --------------------------------------------------------------------------------------


def plan_of(connection: psycopg.Connection, sql: str, values: tuple[object, ...]) -> str:
    rows = connection.execute(f"EXPLAIN (COSTS OFF) {sql}".encode(), values)
    return "\n".join(row[0] for row in rows)


def frugal(plan: str, index: str) -> bool:
    """Tell whether a plan reads an index, and neither sorts nor reads all rows."""
    return index in plan and "Sort" not in plan and "Seq Scan" not in plan


def second_page(
    kind: type[Record], index: Index, descending: bool
) -> tuple[str, tuple[object, ...]]:
    partition = tuple(example(kind, name) for name in index.partition)
    how = {"at_least": None, "at_most": None, "after": None, "limit": 5, "descending": descending}
    first = listing_of(kind, index, partition, **how)
    after = tuple(first.layout.column(n).encode(example(kind, n)) for n in first.index.sort)
    statement = statements_of(kind, POSTGRES).query(replace(first, after=after))
    return statement.sql, statement.values


def test_every_query_reads_one_index_range_and_sorts_nothing(declared: psycopg.Connection):
    for kind in (*declared_kinds(), *KINDS):
        for index in (*kind.indexes, key_index(kind)):
            for descending in (False, True):
                plan = plan_of(declared, *second_page(kind, index, descending))
                assert frugal(plan, index.name or "_pkey"), plan


def test_a_query_without_its_index_is_noticed(declared: psycopg.Connection):
    kind = next(kind for kind in declared_kinds() if kind.table == "units")
    with declared.transaction(force_rollback=True):
        declared.execute('DROP INDEX "unit_due"')
        plan = plan_of(declared, *second_page(kind, kind.index("unit_due"), False))
        assert not frugal(plan, "unit_due")


def test_a_claim_reads_what_it_takes_and_sorts_nothing(declared: psycopg.Connection):
    """Of 100,000 units of 1,000 owners; never counted by the planner, and counted."""
    call = (claiming._CLAIM, (None, ["interactive", "bulk"], 1000, "me"))
    with declared.transaction(force_rollback=True):
        fill(declared)
        for _ in range(2):
            plan = plan_of(declared, *call)
            assert frugal(plan, "unit_due"), plan
            assert "lane_active" in plan
            assert read(declared, *call) < 100
            declared.execute("ANALYZE units; ANALYZE lanes")
    with declared.transaction(force_rollback=True):
        fill(declared)
        declared.execute('DROP INDEX "lane_active"')
        assert not frugal(plan_of(declared, *call), "unit_due")


def fill(connection: psycopg.Connection) -> None:
    """Put work of many owners into the tables, by column names as they are declared."""
    units = statements_of(next(k for k in declared_kinds() if k.table == "units"), POSTGRES)
    given = {
        "group": "'g' || n % 1000",
        "seq": "n / 1000",
        "owner": "'owner-' || n % 1000",
        "klass": "'bulk'",
        "state": "'ready'",
        "queue": "'bulk|owner-' || n % 1000",
        "due": "n",
        "payload": "'{}'",
        "strikes": "'{}'",
    }
    empty = {"TEXT": "''", "BIGINT": "0", "DOUBLE": "1", "BLOB": "''", "JSON": "'{}'"}
    values = [given.get(c.name, empty[c.type]) for c in units.layout.columns]
    sql = f"INSERT INTO units SELECT {', '.join(values)} FROM generate_series(0, 99999) AS n"
    connection.execute(sql.encode())
    connection.execute(
        "INSERT INTO lanes (klass, owner, active, vtime, epoch)"
        "SELECT 'bulk', 'owner-' || n, 'bulk', n, 1 FROM generate_series(0, 999) AS n"
    )


def read(connection: psycopg.Connection, sql: str, values: tuple[object, ...]) -> int:
    """Run a statement and undo it; return how many pages it touched."""
    with connection.transaction(force_rollback=True):
        how = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)"
        row = connection.execute(f"{how} {sql}".encode(), values).fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
