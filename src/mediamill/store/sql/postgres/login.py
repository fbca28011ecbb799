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

log = structlog.get_logger(__name__)


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection that knows its age, and with what it was made."""

    born = 0.0
    """When it was made, by `time.monotonic`."""
    address: Address | None = None


class Login:
    """Makes connections to the address as it is now."""

    def __init__(self, address: Address, source: Sourced | None = None) -> None:
        self.address, self._source = address, source
        self._said: str | None = None

    async def connect(self) -> Connection:
        """Make a connection; raises `psycopg.Error`.

        When the server does not take the password, it is asked for anew, and tried if it changed.
        """
        tried = await self._now()
        try:
            return await self._made(tried)
        except psycopg.OperationalError as error:
            if not refuses(error) or await self._now(renew=True) == tried:
                raise
        return await self._made(self.address)

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
            log.error("an address is unusable; the last one is used", action="setting_broken",
                      setting=SETTING, error=str(error))  # fmt: skip
        return self.address

    async def _made(self, address: Address) -> Connection:
        connection = await Connection.connect(
            address.conninfo, autocommit=True, prepare_threshold=5 if address.prepare else None
        )
        connection.prepared_max = PREPARED
        # else each width of a number makes another statement to prepare
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.born, connection.address = time.monotonic(), address
        return connection
