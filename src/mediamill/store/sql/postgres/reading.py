"""A PostgreSQL database to be read whole and left as it is: for moves.

Services are seen by the name of their connections. One that is started meanwhile does not get the
lock under which tables are made and migrated, which is held until the move ends. A pooler between
would let go of it.
"""

import asyncio

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mediamill.core.errors import Locked
from mediamill.store.sql.migrate import migrations
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.errors import unopened
from mediamill.store.sql.postgres.migrating import LOCK
from mediamill.store.sql.postgres.store import PostgresStore
from mediamill.store.sql.statements import POSTGRES
from mediamill.store.versions import require_present

OTHERS = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()"""
LOOKS = 8


class PostgresSource:
    """The records of a database that no service uses."""

    def __init__(self, store: PostgresStore, held: psycopg.AsyncConnection) -> None:
        self._store, self._held = store, held
        self.walk, self.count = store.walk, store.count

    async def close(self) -> None:
        """Let go of the database."""
        await self._store.close()
        await self._held.close()


async def open_to_read(url: str) -> PostgresSource:
    """Open the database of a URL; raises `Locked` while services use it, `ConfigurationError`."""
    address = Address.of(url)
    try:
        held = await psycopg.AsyncConnection.connect(address.conninfo, autocommit=True)
    except psycopg.Error as error:
        raise unopened(error) from error
    try:
        await _examine(held, conninfo_to_dict(address.conninfo)["application_name"])
        store = await PostgresStore.open(address)
        await held.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    except BaseException as error:
        await held.close()
        if isinstance(error, psycopg.Error):
            raise unopened(error) from error
        raise
    return PostgresSource(store, held)


async def _examine(connection: psycopg.AsyncConnection, name: object) -> None:
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
    version = await (await connection.execute("SELECT MAX(version) FROM schema_version")).fetchone()
    require_present(len(migrations(POSTGRES.name)), version[0] if version else 0)
