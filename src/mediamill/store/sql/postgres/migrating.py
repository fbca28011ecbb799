"""Make and migrate the tables: each step a transaction, under a lock that one process has.

The lock ends with its transaction, so it is never left behind, also not behind a pooler, and the
server ends the transaction of a process that falls silent in it. Where nothing is to be made the
user needs no right to make tables.
"""

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from mediamill.core.records import Record
from mediamill.store.sql.migrate import VERSION, VERSION_TABLE, Migration, migrations, pending
from mediamill.store.sql.postgres.login import Connection
from mediamill.store.sql.schema import ddl
from mediamill.store.sql.statements import POSTGRES

LOCK = 0x6D65646961  # "media"
PATIENCE = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'"


async def prepare(connection: Connection, kinds: Iterable[type[Record]]) -> None:
    """Apply what migrations the database lacks, each whole, and add the extra kinds.

    Raises `ConfigurationError` for a newer schema.
    """
    known = migrations(POSTGRES.name)
    while await migrate_next(connection, known):
        pass
    if script := ddl(kinds, POSTGRES, if_absent=True):
        async with _alone(connection):
            await connection.execute(script.encode())


async def migrate_next(connection: Connection, known: tuple[Migration, ...]) -> bool:
    """Apply the next migration in one transaction; False when there was none left."""
    async with _alone(connection):
        waiting = pending(known, *await _versions(connection))
        if waiting:
            await _apply(connection, waiting[0])
    return bool(waiting)


async def _apply(connection: Connection, one: Migration) -> None:
    await connection.execute(VERSION_TABLE)
    await connection.execute(one.sql.encode())
    row = (one.version, one.name, time.time_ns() // 1_000_000, one.compatible)
    await connection.execute("INSERT INTO schema_version VALUES (%s, %s, %s, %s)", row)


async def _versions(connection: Connection) -> tuple[int, int]:
    """Return the schema's version and the one that a program must know; 0 where there is none."""
    there = await connection.execute("SELECT to_regclass('schema_version') IS NOT NULL")
    if (await there.fetchone()) != (True,):
        return 0, 0
    row = await (await connection.execute(VERSION)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncIterator[None]:
    """Wait until nobody else migrates or moves it; a step may then take its time."""
    async with connection.transaction():
        await connection.execute(PATIENCE)
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        yield
