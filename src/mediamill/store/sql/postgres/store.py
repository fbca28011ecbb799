"""The store in PostgreSQL: `postgresql://user:password@host:5432/database?pool=8`.

Any number of processes of any number of machines share it; its clock is everybody's time. The user
needs to own the database, or to be allowed to make tables in its schema. What else a URL may say is
in `address.py`, and when what is committed in `committing.py`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.core.records import Index, R, Record
from mediamill.core.sourced import Sourced
from mediamill.store.calls import changes_of, condition_failed, keys_of, listing_of, walk_of
from mediamill.store.codec import layout_of
from mediamill.store.port import MAX_PAGE, Action, Page
from mediamill.store.repositories.units import Unit
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.claiming import claim
from mediamill.store.sql.postgres.clock import NOW, DatabaseClock
from mediamill.store.sql.postgres.committing import NotWritten, commit
from mediamill.store.sql.postgres.errors import READ_ONLY, reason, translated, unopened
from mediamill.store.sql.postgres.migrating import prepare
from mediamill.store.sql.postgres.login import Connection
from mediamill.store.sql.postgres.pool import Pool
from mediamill.store.sql.statements import (
    POSTGRES,
    Statement,
    statements_for,
    statements_of,
)

TRIES = 8
"""Of a transaction that collides with others, and of what found its connection gone."""

T = TypeVar("T")
Rows = list[tuple[Any, ...]]


class PostgresStore:
    """Records in a PostgreSQL database; opened by `PostgresStore.open`."""

    def __init__(self, pool: Pool, clock: Clock | None, version: str) -> None:
        self._pool, self._clock = pool, clock
        self._database_clock = DatabaseClock(self._ask_time)
        self._closed, self._running, self._quiet = False, 0, asyncio.Event()
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

    async def get(self, kind: type[R], *key: Any) -> R | None:
        return (await self.get_many(kind, [key]))[0]

    async def get_many(self, kind: type[R], keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        wanted, layout = keys_of(kind, keys), layout_of(kind)
        if not wanted:
            return []
        statements = statements_of(kind, POSTGRES)
        statement = (
            Statement(statements.get, wanted[0])
            if len(wanted) == 1
            else statements.get_many(wanted)
        )
        found = [layout.decode(row) for row in await self._read(statement)]
        by_key = {layout.encode_key(record.key_values()): record for record in found}
        return [by_key.get(key) for key in wanted]

    async def query(
        self,
        kind: type[R],
        index: Index,
        *partition: Any,
        at_least: Any = None,
        at_most: Any = None,
        after: str | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> Page[R]:
        listing = listing_of(
            kind,
            index,
            partition,
            at_least=at_least,
            at_most=at_most,
            after=after,
            limit=limit,
            descending=descending,
        )
        return listing.page(await self._read(statements_of(kind, POSTGRES).query(listing)))

    async def walk(
        self, kind: type[R], after: tuple[Any, ...] | None = None, limit: int = MAX_PAGE
    ) -> list[R]:
        listing = walk_of(kind, after, limit)
        return listing.records(await self._read(statements_of(kind, POSTGRES).query(listing)))

    async def transact(self, *actions: Action) -> None:
        changes = changes_of(actions)
        if not changes:
            self._check_open()
            return
        statements = statements_for(changes, POSTGRES)
        places = range(len(changes))
        order = sorted(places, key=lambda at: (changes[at].layout.table, changes[at].key))[::-1]
        failed = await self._write(lambda connection: commit(connection, statements, order))
        if failed is not None:
            raise ConditionFailed(condition_failed(changes[failed]), action=failed)

    async def claim(self, klasses: Sequence[str], holder: str, lease_ms: int) -> Unit | None:
        now = self._clock.now() if self._clock else None
        return await self._write(lambda c: claim(c, klasses, holder, lease_ms, now))

    async def now(self) -> int:
        self._check_open()
        return self._clock.now() if self._clock else await self._database_clock.now()

    async def close(self) -> None:
        self._closed = True
        if self._running:
            await self._quiet.wait()
        await self._pool.close()

    # -- on a connection ------------------------------------------------------------------------

    async def _read(self, statement: Statement) -> Rows:
        """Run a query; again where the connection turns out to be gone."""
        with self._accepted():
            for left in reversed(range(TRIES)):
                async with self._pool.connection() as connection:
                    try:
                        cursor = await connection.execute(statement.sql.encode(), statement.values)
                        return await cursor.fetchall()
                    except psycopg.Error as error:
                        if not left or not connection.closed:
                            raise translated(error) from error
        raise AssertionError("unreachable")

    async def _write(self, write: Callable[[Connection], Awaitable[T]]) -> T:
        """Write on a connection, again where nothing can have been written."""
        with self._accepted():
            for left in reversed(range(TRIES)):
                async with self._pool.connection() as connection:
                    try:
                        return await write(connection)
                    except NotWritten as error:
                        if not left:
                            raise reason(error.__cause__) from error
                await asyncio.sleep(random.random() * 0.02 * (TRIES - left))  # noqa: S311 - spread
        raise AssertionError("unreachable")

    async def _ask_time(self) -> int:
        rows = await self._read(Statement(NOW, ()))
        return int(rows[0][0])

    @contextmanager
    def _accepted(self) -> Iterator[None]:
        """Let `close` wait for the block."""
        self._check_open()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._closed and not self._running:
                self._quiet.set()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("The store is closed.")


FOLLOWS = True


async def open(  # noqa: A001 - the name that every backend module has
    source: Sourced, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> PostgresStore:
    """Open the database that a URL names; raises `ValueError` for a bad parameter."""
    address = Address.of(await source.current())
    return await PostgresStore.open(address, extra_kinds, clock, source)
