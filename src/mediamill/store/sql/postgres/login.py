"""Connect to a database whose address may change: a rotated password counts without a restart."""

import time
from typing import Any

import psycopg
import structlog
from psycopg.types.numeric import Int8Dumper

from mediamill.core.errors import MediamillError
from mediamill.core.libpq import refuses
from mediamill.core.sourced import Sourced
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.errors import SETTING

PREPARED = 200
REFUSED_SECONDS = 3.0
"""How soon an address is tried again whose password was refused: servers count that, and lock."""

log = structlog.get_logger(__name__)


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection that knows its age, and with what it was made."""

    born = 0.0
    """When it was made, by `time.monotonic`."""
    address: Address | None = None


class Refused(psycopg.OperationalError):
    """The server does not take user or password, or did not a moment ago."""


class Login:
    """Makes connections to the address as it is now."""

    def __init__(self, address: Address, source: Sourced | None = None) -> None:
        self.address, self._source = address, source
        self._said: str | None = None
        self._refused: tuple[Address, float, str] | None = None
        """What the server refused, when, and with which words."""

    async def connect(self) -> Connection:
        """Make a connection; raises `psycopg.Error`.

        When the server does not take the password, it is asked for anew, and tried if it changed.
        """
        tried = await self._now()
        try:
            return await self._tried(tried)
        except Refused:
            if await self._now(renew=True) == tried:
                raise
        return await self._tried(self.address)

    def is_current(self, connection: Connection) -> bool:
        """Tell whether a connection is to the address that is known now."""
        return connection.address == self.address

    async def _now(self, *, renew: bool = False) -> Address:
        if self._source is None:
            return self.address
        try:
            said = await (self._source.renewed() if renew else self._source.current())
            if said != self._said:
                self.address, self._said = Address.of(said), said
        except (MediamillError, ValueError) as error:  # what worked may do so still
            log.error("a setting is unusable; the last one is used", action="setting_broken",
                      setting=SETTING, error=str(error))  # fmt: skip
        return self.address

    async def _tried(self, address: Address) -> Connection:
        """Make a connection, unless the same was refused just now."""
        now, known = time.monotonic(), self._refused
        if known is not None and known[0] == address:
            if now - known[1] < REFUSED_SECONDS:
                raise Refused(known[2])
            self._refused = address, now, known[2]  # of those who wait one tries
        try:
            made = await self._made(address)
        except psycopg.OperationalError as error:
            if not refuses(error):
                self._refused = None
                raise
            self._refused = address, time.monotonic(), str(error)
            raise Refused(str(error)) from error
        self._refused = None
        return made

    async def _made(self, address: Address) -> Connection:
        connection = await Connection.connect(
            address.conninfo, autocommit=True, prepare_threshold=5 if address.prepare else None
        )
        connection.prepared_max = PREPARED
        # else each width of a number makes another statement to prepare
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.born, connection.address = time.monotonic(), address
        return connection
