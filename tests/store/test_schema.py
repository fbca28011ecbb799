"""The tables that migrations make are the declared ones, and every query has its index."""

import asyncio
import importlib
import pkgutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.contracts.store_contract import KINDS, Thing, orders, put, thing

from mediamill.core.errors import ConfigurationError
from mediamill.core.records import Index, Record
from mediamill.store import repositories
from mediamill.store.calls import listing_of
from mediamill.store.codec import Member, layout_of
from mediamill.store.port import key_index
from mediamill.store.schema import all_kinds
from mediamill.store.sql.migrate import Migration, migrations
from mediamill.store.sql.schema import ddl, declared_kinds
from mediamill.store.sql.sqlite.connection import migrate_next
from mediamill.store.sql.sqlite.store import SqliteStore
from mediamill.store.sql.statements import SQLITE, statements_of


def describe(connection: apsw.Connection) -> dict[str, object]:
    """Describe every table and index by what they are, not by how they were written."""
    found: dict[str, object] = {}
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (table,) in tables:
        strict = f"SELECT strict FROM pragma_table_list('{table}')"
        columns = f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')"
        found[table] = connection.execute(strict).fetchall(), sorted(connection.execute(columns))
    indexes = "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL"
    for name, table, sql in connection.execute(indexes).fetchall():
        fields = connection.execute(f"SELECT name FROM pragma_index_info('{name}')").fetchall()
        found[name] = table, fields, sql.partition(" WHERE ")[2] or sql.partition("\n    WHERE ")[2]
    found.pop("schema_version", None)
    return found


def migrated(known: tuple[Migration, ...] | None = None) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    while migrate_next(connection, 1, known):
        pass
    return connection


def declared() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(ddl(declared_kinds(), SQLITE))
    return connection


def test_no_record_is_forgotten():
    """What `schema.py` does not import is not moved to other stores."""
    for module in pkgutil.iter_modules(repositories.__path__, f"{repositories.__name__}."):
        importlib.import_module(module.name)
    assert declared_kinds() == all_kinds()


def test_the_migrations_make_exactly_the_declared_schema():
    assert declared_kinds()
    assert describe(migrated()) == describe(declared())


def test_what_migrations_fill_in_is_what_other_stores_read():
    """A column that is added has the default of its field (`Column.default`)."""
    connection = migrated()
    for kind in declared_kinds():
        info = f"SELECT name, dflt_value FROM pragma_table_info('{kind.table}')"
        for name, said in connection.execute(info).fetchall():
            if said is not None:
                ((filled,),) = connection.execute(f"SELECT {said}").fetchall()
                assert filled == layout_of(kind).column(name).default, (kind.table, name)


@pytest.mark.parametrize(
    "drift",
    [
        'ALTER TABLE "jobs" ADD COLUMN "extra" TEXT',
        'ALTER TABLE "jobs" DROP COLUMN "error"',
        'DROP INDEX "job_listed"; CREATE INDEX "job_listed" ON "jobs" ("listed", "id")',
        'DROP INDEX "job_listed"',
        'CREATE TABLE "more" ("id" TEXT)',
    ],
)
def test_a_drift_of_the_schema_is_noticed(drift: str):
    shipped = migrations("sqlite")
    changed = migrated((*shipped, Migration(len(shipped) + 1, "drift", drift)))
    assert describe(changed) != describe(declared())


def test_the_command_prints_the_declared_schema():
    command = [sys.executable, "-m", "mediamill.store.sql.schema"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stdout == ddl(declared_kinds(), SQLITE)
    assert printed.stderr == ""


def test_migrations_continue_where_they_stopped_and_fail_whole():
    one = Migration(1, "one", "CREATE TABLE a (x TEXT)")
    two = Migration(2, "two", "CREATE TABLE b (x TEXT); CREATE TABLE a (x TEXT)")
    mended = Migration(2, "two", "CREATE TABLE b (x TEXT); INSERT INTO a VALUES ('kept')")
    connection = migrated((one,))
    with pytest.raises(apsw.SQLError):
        migrate_next(connection, 1, (one, two))
    assert set(describe(connection)) == {"a"}
    assert migrate_next(connection, 1, (one, mended))
    assert not migrate_next(connection, 1, (one, mended))
    assert set(describe(connection)) == {"a", "b"}
    versions = connection.execute("SELECT version, name FROM schema_version").fetchall()
    assert versions == [(1, "one"), (2, "two")]


def fill(connection: apsw.Connection, table: str, **values: object) -> None:
    """Insert a row; columns that must have a value and are not named get an empty one."""
    empty: dict[str, object] = {"TEXT": "", "INTEGER": 0, "REAL": 0.0, "BLOB": b""}
    info = f"SELECT name, type FROM pragma_table_info('{table}') WHERE \"notnull\""
    row = {name: empty[kind] for name, kind in connection.execute(info).fetchall()} | values
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(row.values()))


def test_what_was_kept_before_is_counted():
    connection = migrated(migrations("sqlite")[:7])
    fill(connection, "files", id="a", owner="ann", size=100, state="ready")
    fill(connection, "files", id="b", owner="ann", size=20, state="trashed")
    fill(connection, "files", id="c", owner="ann", size=7, state="rejected")
    fill(connection, "uploads", id="u", owner="bob", size=50, offset=10, state="receiving")
    fill(connection, "uploads", id="v", owner="bob", size=None, offset=5, state="receiving")
    fill(connection, "uploads", id="w", owner="bob", size=9, offset=9, state="ready")
    fill(connection, "jobs", id="j", owner="bob")
    fill(connection, "jobs", id="k", owner="eve")
    for item, files in enumerate(('[{"size": 3}, {"size": 4}]', "[]", '[{"size": 1000}]')):
        fill(connection, "results", job="j", stage=0, item=item, files=files)
    while migrate_next(connection, 1):
        pass
    told = connection.execute(
        'SELECT "owner", "bytes", "results" FROM "usage" ORDER BY "owner"'
    ).fetchall()
    assert told == [("ann", 120, 0), ("bob", 55 + 1007, 1007)]
    charged = 'SELECT "id", "charged" FROM "files" UNION ALL SELECT "id", "charged" FROM "uploads"'
    assert sorted(connection.execute(charged).fetchall()) == [
        ("a", 100), ("b", 20), ("c", 0), ("u", 50), ("v", 5), ("w", 0),
    ]  # fmt: skip
    assert connection.execute('SELECT "charged" FROM "jobs"').fetchall() == [(1007,), (0,)]


async def test_a_newer_schema_is_refused(tmp_path: Path):
    path = tmp_path / "store.db"
    await (await SqliteStore.open(path)).close()
    connection = apsw.Connection(str(path))
    connection.execute("INSERT INTO schema_version VALUES (99, 'future', 0, 99)")
    connection.close()
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STORE_URL.*version 99.*newer"):
        await SqliteStore.open(path)


async def test_many_open_a_new_file_at_once(tmp_path: Path):
    path = tmp_path / "store.db"
    stores = await asyncio.gather(*(SqliteStore.open(path, KINDS) for _ in range(6)))
    await asyncio.gather(*(put(each, thing(n)) for n, each in enumerate(stores)))
    assert await orders(stores[0], key_index(Thing), "g") == list(range(6))
    await asyncio.gather(*(each.close() for each in stores))


def test_every_query_reads_one_index_range_and_sorts_nothing():
    connection = declared()
    connection.execute(ddl(KINDS, SQLITE))
    for kind in (*declared_kinds(), *KINDS):
        for index in (*kind.indexes, key_index(kind)):
            for descending in (False, True):
                plan = " ".join(plan_of(connection, kind, index, descending))
                assert "SEARCH" in plan, plan
                assert "SCAN" not in plan, plan
                assert "B-TREE" not in plan, plan
                assert index.name in plan


def plan_of(
    connection: apsw.Connection, kind: type[Record], index: Index, descending: bool
) -> list[str]:
    """Explain the query of a second page."""
    partition = tuple(example(kind, name) for name in index.partition)
    how = {"at_least": None, "at_most": None, "after": None, "limit": 5, "descending": descending}
    first = listing_of(kind, index, partition, **how)
    after = tuple(first.layout.column(n).encode(example(kind, n)) for n in first.index.sort)
    statement = statements_of(kind, SQLITE).query(replace(first, after=after))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values).fetchall()
    return [row[3] for row in rows]


def example(kind: type[Record], name: str) -> Any:
    """Make a value that this field takes, whatever its type."""
    column = layout_of(kind).column(name)
    if column.decode is bool:
        return True
    if isinstance(column.decode, Member):
        return next(iter(column.decode.cls))
    return {"TEXT": "s", "BIGINT": 1, "DOUBLE": 1.0, "BLOB": b""}[column.type]
