"""The store in PostgreSQL: `postgresql://user:password@host:5432/database?pool=8`.

Any number of processes of any number of machines share it; its clock is everybody's time. The user
needs to own the database, or to be allowed to make tables in its schema. What else a URL may say is
in `address.py`, and when what is committed in `committing.py`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed
from mediamill.core.records import R, Record
from mediamill.core.sourced import Sourced
from mediamill.store.base import Calls, CheckedWalks
from mediamill.store.calls import Change, Listing, condition_failed
from mediamill.store.codec import layout_of
from mediamill.store.judging import Row
from mediamill.store.port import Page
from mediamill.store.repositories.units import Unit
from mediamill.store.sql.migrate import VERSION, migrations
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.claiming import claim
from mediamill.store.sql.postgres.clock import NOW, DatabaseClock
from mediamill.store.sql.postgres.committing import NotWritten, commit
from mediamill.store.sql.postgres.errors import READ_ONLY, again, reason, translated, unopened
from mediamill.store.sql.postgres.login import Connection
from mediamill.store.sql.postgres.migrating import prepare
from mediamill.store.sql.postgres.pool import Pool
from mediamill.store.sql.statements import (
    POSTGRES,
    Statement,
    statements_for,
    statements_of,
)
from mediamill.store.versions import require_compatible

TRIES = 8
"""Of a transaction that collides with others, and of what found its connection gone."""

T = TypeVar("T")
Rows = list[tuple[Any, ...]]


class PostgresStore(CheckedWalks):
    """Records in a PostgreSQL database; opened by `PostgresStore.open`."""

    contenders = 8
    """A row is locked until its transaction is on the disk."""

    def __init__(self, pool: Pool, clock: Clock | None, version: str) -> None:
        self._pool, self._clock = pool, clock
        self._database_clock = DatabaseClock(self._ask_time)
        self._calls = Calls()
        self.version = version
        """The server that answers, as in `15.8`."""

    @classmethod
    async def open(
        cls,
        address: Address,
        kinds: Iterable[type[Record]] = (),
        clock: Clock | None = None,
        source: Sourced | None = None,
    ) -> "PostgresStore":
        """Open a database, migrated as needed; `kinds` get tables beside the declared ones.

        Raises `ConfigurationError` when it refuses us or has a newer schema, and `Unavailable`.
        """
        pool = Pool(address, source)
        try:
            async with await pool.connect() as first:
                if await (await first.execute(READ_ONLY)).fetchone() == ("on",):
                    raise errors.ReadOnlySqlTransaction
                await prepare(first, kinds)
                version = first.info.parameter_status("server_version") or ""
        except psycopg.Error as error:
            raise unopened(error) from error
        return cls(pool, clock, version.partition(" ")[0])

    async def _found(self, kind: type[R], keys: list[Row]) -> list[R | None]:
        if not keys:
            return []
        layout, statements = layout_of(kind), statements_of(kind, POSTGRES)
        one = len(keys) == 1
        statement = Statement(statements.get, keys[0]) if one else statements.get_many(keys)
        found = [layout.decode(row) for row in await self._read(statement)]
        by_key = {layout.encode_key(record.key_values()): record for record in found}
        return [by_key.get(key) for key in keys]

    async def _page(self, listing: Listing[R]) -> Page[R]:
        return listing.page(await self._listed(listing))

    async def _walked(self, listing: Listing[R]) -> list[R]:
        return listing.records(await self._listed(listing))

    async def _listed(self, listing: Listing[R]) -> Rows:
        return await self._read(statements_of(listing.layout.kind, POSTGRES).query(listing))

    async def _apply(self, changes: list[Change]) -> None:
        if not changes:
            self._calls.require_open()
            return
        statements = statements_for(changes, POSTGRES)
        places = range(len(changes))
        order = sorted(places, key=lambda at: (changes[at].layout.table, changes[at].key))[::-1]
        failed = await self._write(lambda connection: commit(connection, statements, order))
        if failed is not None:
            raise ConditionFailed(condition_failed(changes[failed]), action=failed)

    async def claim(self, klasses: Sequence[str], holder: str, lease_ms: int) -> Unit | None:
        now = self._clock.now() if self._clock else None
        with self.watch.call("claim"):
            return await self._write(lambda c: claim(c, klasses, holder, lease_ms, now))

    async def now(self) -> int:
        self._calls.require_open()
        return self._clock.now() if self._clock else await self._database_clock.now()

    async def require_current(self) -> None:
        ((version, compatible),) = await self._read(Statement(VERSION, ()))
        require_compatible(len(migrations(POSTGRES.name)), int(version), int(compatible))

    async def close(self) -> None:
        await self._calls.close()
        await self._pool.close()

    # -- on a connection ------------------------------------------------------------------------

    async def _read(self, statement: Statement) -> Rows:
        """Run a query; again where the connection turns out to be gone."""
        with self._calls.accepted():
            for left in reversed(range(TRIES)):
                async with self._pool.connection() as connection:
                    try:
                        cursor = await connection.execute(statement.sql.encode(), statement.values)
                        return await cursor.fetchall()
                    except psycopg.Error as error:
                        if not left or not connection.closed:
                            raise translated(error) from error
                        self.watch.again("away")
        raise AssertionError("unreachable")

    async def _write(self, write: Callable[[Connection], Awaitable[T]]) -> T:
        """Write on a connection, again where nothing can have been written."""
        with self._calls.accepted():
            for left in reversed(range(TRIES)):
                async with self._pool.connection() as connection:
                    try:
                        return await write(connection)
                    except NotWritten as error:
                        if not left:
                            raise reason(error.__cause__) from error
                        self.watch.again(again(error.__cause__))
                await asyncio.sleep(random.random() * 0.02 * (TRIES - left))  # noqa: S311 - spread
        raise AssertionError("unreachable")

    async def _ask_time(self) -> int:
        rows = await self._read(Statement(NOW, ()))
        return int(rows[0][0])


FOLLOWS = True


async def open(  # noqa: A001 - the name that every backend module has
    source: Sourced, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> PostgresStore:
    """Open the database that a URL names; raises `ValueError` for a bad parameter."""
    address = Address.of(await source.current())
    return await PostgresStore.open(address, extra_kinds, clock, source)
