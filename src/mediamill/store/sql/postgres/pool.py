"""Connections to PostgreSQL, lent to one task at a time, made when wanted, replaced when gone.

Nothing runs in the background. Whoever needs a connection and finds none makes one, and while the
server is away goes on trying until its time is up: a server that is back is found within half a
second. A connection that the server has closed meanwhile is noticed before it is lent.
"""

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import structlog
from psycopg.pq import PipelineStatus, TransactionStatus

from mediamill.core.errors import Unavailable
from mediamill.core.sourced import Sourced
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.errors import first_line
from mediamill.store.sql.postgres.login import Connection, Login

log = structlog.get_logger(__name__)

LONGEST_USE = 45.0
"""Seconds after which a connection is given up whose server neither answers nor ends the call."""
LIFETIME = 3600.0
"""Seconds after which a connection is replaced: names may lead elsewhere by then."""
IDLE = 600.0
LONGEST_PAUSE = 0.5
LONGEST_UNDO = 5.0


class Pool:
    """At most `address.pool` connections, of which the last returned is lent next.

    They are made with the address as `source` says it then, if it is given.
    """

    def __init__(self, address: Address, source: Sourced | None = None) -> None:
        self._address, self._login = address, Login(address, source)
        self._permits = asyncio.Semaphore(address.pool)
        self._idle: list[tuple[Connection, float]] = []
        self._closed = False

    async def connect(self) -> Connection:
        """Make a connection; raises `psycopg.Error`."""
        return await self._login.connect()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; raises `Unavailable` when there is none in time.

        What is left open on it is rolled back; one that does not answer is closed.
        """
        until = time.monotonic() + self._address.timeout
        await self._permit()
        try:
            connection = await self._usable(until)
            try:
                async with asyncio.timeout(LONGEST_USE):
                    yield connection
            except TimeoutError:
                connection.pgconn.finish()
                raise Unavailable("The database does not answer.") from None
            finally:
                await self._return(connection)
        finally:
            self._permits.release()

    async def close(self) -> None:
        """Close what is not lent, and the rest when it is returned."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[0].close()

    async def _permit(self) -> None:
        try:
            async with asyncio.timeout(self._address.timeout):
                await self._permits.acquire()
        except TimeoutError:
            message = "All connections to the database are in use; try again in a moment."
            raise Unavailable(message) from None

    async def _usable(self, until: float) -> Connection:
        while self._idle:
            connection, _ = self._idle.pop()
            if self._login.is_current(connection) and _sound(connection):
                return connection
            await connection.close()
        pause = 0.05
        while True:
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    return await self.connect()
            except (psycopg.Error, TimeoutError) as error:
                if time.monotonic() + pause > until:
                    log.warning("no database", action="store_away", error=first_line(error))
                    raise Unavailable("The database is away; try again in a moment.") from error
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _return(self, connection: Connection) -> None:
        try:
            usable = not self._closed and await _cleared(connection)
        except BaseException:
            connection.pgconn.finish()
            raise
        now = time.monotonic()
        if usable and now - connection.born < LIFETIME:
            self._idle.append((connection, now))
        else:
            await connection.close()
        while self._idle and now - self._idle[0][1] > IDLE:
            await self._idle.pop(0)[0].close()


def _sound(connection: Connection) -> bool:
    """Tell whether the server has not hung up; what it says unasked is its farewell."""
    if connection.closed or time.monotonic() - connection.born > LIFETIME:
        return False
    said = select.poll()
    said.register(connection.fileno(), select.POLLIN)
    return not said.poll(0)


async def _cleared(connection: Connection) -> bool:
    """Undo what is open; tell whether the connection can be lent again."""
    at = connection.pgconn
    if connection.closed or at.pipeline_status != PipelineStatus.OFF:
        return False
    if at.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        try:
            async with asyncio.timeout(LONGEST_UNDO):
                await connection.rollback()
        except (psycopg.Error, TimeoutError):
            return False
    return at.transaction_status == TransactionStatus.IDLE
