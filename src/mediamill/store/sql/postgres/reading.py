"""A PostgreSQL database to be read whole and left as it is: for moves.

Services are seen by the name of their connections, looked for when the lock is held under which
tables are made and migrated: one that is started meanwhile does not get it. The lock is of a
session, held until the move ends; a pooler between would let go of it. At the end it is asked
whether the session lives and nobody else was there.
"""

import asyncio
from dataclasses import replace

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mediamill.core.errors import Locked
from mediamill.store.sql.migrate import migrations
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.errors import unopened
from mediamill.store.sql.postgres.migrating import LOCK
from mediamill.store.sql.postgres.pool import Pool
from mediamill.store.sql.postgres.store import PostgresStore
from mediamill.store.sql.statements import POSTGRES
from mediamill.store.versions import require_present

OTHERS = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %s"""
OWN = " migrate"
"""What a move adds to the name, so that it does not see itself."""
LOOKS = 8


class PostgresSource:
    """The records of a database that no service uses."""

    def __init__(self, store: PostgresStore, held: psycopg.AsyncConnection, name: object) -> None:
        self._store, self._held, self._name = store, held, name
        self.walk = store.walk

    async def require_alone(self) -> None:
        """Raise `Locked` when the lock was lost on the way, or a service is there."""
        try:
            await _require_no_others(self._held, self._name)
        except psycopg.Error as error:
            raise Locked(
                "The connection that kept services off the database broke: one may have written. "
                "Give the same command again."
            ) from error

    async def close(self) -> None:
        """Let go of the database."""
        await self._store.close()
        await self._held.close()


async def open_to_read(url: str) -> PostgresSource:
    """Open the database of a URL; raises `Locked` while services use it, `ConfigurationError`."""
    named = Address.of(url)
    name = conninfo_to_dict(named.conninfo)["application_name"]
    address = replace(
        named, conninfo=make_conninfo(named.conninfo, application_name=f"{name}{OWN}")
    )
    try:
        held = await psycopg.AsyncConnection.connect(address.conninfo, autocommit=True)
    except psycopg.Error as error:
        raise unopened(error) from error
    try:
        await held.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        await _require_no_others(held, name)
        await _require_version(held)
    except BaseException as error:
        await held.close()
        if isinstance(error, psycopg.Error):
            raise unopened(error) from error
        raise
    return PostgresSource(PostgresStore(Pool(address), None, ""), held, name)


async def _require_no_others(connection: psycopg.AsyncConnection, name: object) -> None:
    for left in reversed(range(LOOKS)):  # one that ended a moment ago may still be seen
        others = await (await connection.execute(OTHERS, (name,))).fetchone()
        if not (others and others[0]):
            break
        if not left:
            raise Locked(
                f"A service uses the database ({others[0]} connections). Stop every `mediamill "
                "up`, `api` and `worker` first."
            )
        await asyncio.sleep(0.2)


async def _require_version(connection: psycopg.AsyncConnection) -> None:
    version = await (await connection.execute("SELECT MAX(version) FROM schema_version")).fetchone()
    require_present(len(migrations(POSTGRES.name)), version[0] if version else 0)
