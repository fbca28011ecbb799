"""Make and migrate the tables, under a lock that one process of all holds."""

import time
from collections.abc import Iterable

import psycopg

from mediamill.core.records import Record
from mediamill.store.sql.migrate import VERSION, VERSION_TABLE, migrations, pending
from mediamill.store.sql.schema import ddl
from mediamill.store.sql.statements import POSTGRES

LOCK = 0x6D65646961  # "media"


async def prepare(connection: psycopg.AsyncConnection, kinds: Iterable[type[Record]]) -> None:
    """Apply what migrations the database lacks, each whole, and add the extra kinds.

    Raises `ConfigurationError` for a newer schema.
    """
    await connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    try:
        await connection.execute(VERSION_TABLE)
        while await _migrate_next(connection):
            pass
        if script := ddl(kinds, POSTGRES, if_absent=True):
            await connection.execute(script.encode())
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))


async def _migrate_next(connection: psycopg.AsyncConnection) -> bool:
    """Apply the next migration in one transaction; False when there was none left."""
    row = await (await connection.execute(VERSION)).fetchone()
    waiting = pending(migrations(POSTGRES.name), int(row[0]) if row else 0)
    if not waiting:
        return False
    applied = (waiting[0].version, waiting[0].name, time.time_ns() // 1_000_000)
    async with connection.transaction():
        await connection.execute(waiting[0].sql.encode())
        await connection.execute("INSERT INTO schema_version VALUES (%s, %s, %s)", applied)
    return True
