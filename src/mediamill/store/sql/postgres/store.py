"""The store in PostgreSQL: `postgresql://user:password@host:5432/database?pool=8`.

Any number of processes of any number of machines share it; its clock is everybody's time. Each
transaction goes to the server in two steps, the statements with their guards and then the commit.
A guard is part of its statement, so READ COMMITTED is enough: whoever waited for a row judges it as
it is then. Parameters that we do not know (`sslmode` …) are those of libpq.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.core.records import Index, R, Record
from mediamill.store.calls import changes_of, condition_failed, keys_of, listing_of
from mediamill.store.codec import layout_of
from mediamill.store.port import Action, Page
from mediamill.store.sql.postgres.clock import NOW, DatabaseClock
from mediamill.store.sql.postgres.errors import AWAY, COLLIDED, translated, unopened
from mediamill.store.sql.postgres.migrating import prepare
from mediamill.store.sql.statements import (
    POSTGRES,
    Expect,
    Statement,
    statements_for,
    statements_of,
)

POOL = 8
TIMEOUT = 10.0
"""Seconds to wait for a connection before a call is `Unavailable`."""
TRIES = 8
"""Of a transaction that collides with others, and of what found its connection gone."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]


class PostgresStore:
    """Records in a PostgreSQL database; opened by `PostgresStore.open`."""

    def __init__(self, pool: "AsyncConnectionPool[Connection]", clock: Clock | None) -> None:
        self._pool, self._clock = pool, clock
        self._database_clock = DatabaseClock(self._ask_time)
        self._closed, self._running, self._quiet = False, 0, asyncio.Event()
        self.version = ""
        """The server that answers, as in `15.8`."""

    @classmethod
    async def open(
        cls,
        address: str,
        kinds: Iterable[type[Record]] = (),
        *,
        pool: int = POOL,
        timeout: float = TIMEOUT,
        clock: Clock | None = None,
    ) -> "PostgresStore":
        """Open a database, migrated as needed; `kinds` get tables beside the declared ones.

        Raises `ConfigurationError` when it refuses us or has a newer schema, and `Unavailable`.
        """
        try:
            first = await Connection.connect(address, autocommit=True, connect_timeout=10)
            async with first:
                await prepare(first, kinds)
                version = first.info.parameter_status("server_version") or ""
        except psycopg.Error as error:
            raise unopened(error) from error
        connections = AsyncConnectionPool(
            address,
            connection_class=Connection,
            kwargs={"autocommit": True, "connect_timeout": 10, "application_name": "mediamill"},
            min_size=1,
            max_size=pool,
            timeout=timeout,
            open=False,
        )
        await connections.open()
        store = cls(connections, clock)
        store.version = version.partition(" ")[0]
        return store

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

    async def transact(self, *actions: Action) -> None:
        changes = changes_of(actions)
        if not changes:
            self._check_open()
            return
        failed = await self._write(statements_for(changes, POSTGRES))
        if failed is not None:
            raise ConditionFailed(condition_failed(changes[failed]), action=failed)

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
                try:
                    async with self._connection() as connection:
                        cursor = await connection.execute(statement.sql.encode(), statement.values)
                        return await cursor.fetchall()
                except AWAY as error:
                    if not left:
                        raise translated(error) from error
        raise AssertionError("unreachable")

    async def _write(self, statements: list[Statement]) -> int | None:
        """Commit statements; return the position of the first whose guard failed, if one did.

        Where nothing can have been written it is tried again; where that is not known, this raises
        `Unavailable`.
        """
        with self._accepted():
            for left in reversed(range(TRIES)):
                try:
                    async with self._connection() as connection:
                        return await _commit(connection, statements)
                except (*COLLIDED, _NotSent) as error:
                    if not left:
                        raise _cause(error) from error
                    await asyncio.sleep(random.random() * 0.02 * (TRIES - left))  # noqa: S311 - spread
        raise AssertionError("unreachable")

    async def _ask_time(self) -> int:
        rows = await self._read(Statement(NOW, ()))
        return int(rows[0][0])

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, PoolClosed) as error:
            raise translated(error) from error
        except (*AWAY, *COLLIDED):
            raise
        except psycopg.Error as error:
            raise translated(error) from error

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


class _NotSent(Exception):
    """The connection was gone before the commit was sent."""


def _cause(error: Exception) -> Exception:
    cause = error.__cause__
    return translated(cause if isinstance(cause, Exception) else error)


async def _commit(connection: Connection, statements: list[Statement]) -> int | None:
    try:
        async with connection.pipeline():
            await connection.execute("BEGIN")
            cursors = [await connection.execute(s.sql.encode(), s.values) for s in statements]
    except AWAY as error:
        raise _NotSent from error
    for position, (one, cursor) in enumerate(zip(statements, cursors, strict=True)):
        if not _met(one, cursor):
            await connection.execute("ROLLBACK")
            return position
    try:
        await connection.execute("COMMIT")
    except AWAY as error:
        raise Unavailable("The database went away while it committed.") from error
    return None


def _met(statement: Statement, cursor: psycopg.AsyncCursor[Any]) -> bool:
    if statement.expect is Expect.ANYTHING:
        return True
    return bool(cursor.rowcount) is (statement.expect is not Expect.NOTHING)


async def open(  # noqa: A001 - the name that every backend module has
    url: str, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> PostgresStore:
    """Open the database that a URL names; raises `ValueError` for a bad parameter."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    pool, timeout = int(given.pop("pool", POOL)), float(given.pop("timeout", TIMEOUT))
    if not 1 <= pool <= 200 or not 0 < timeout <= 600:
        raise ValueError("pool is 1 to 200, timeout is up to 600 seconds")
    if not parts.path.strip("/"):
        raise ValueError("write postgresql://user:password@host:port/database")
    address = parts._replace(query=urlencode(given)).geturl()
    return await PostgresStore.open(address, extra_kinds, pool=pool, timeout=timeout, clock=clock)
