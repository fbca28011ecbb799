"""Doorbells through PostgreSQL's NOTIFY: `postgresql:` (the store's database) or a URL of its own.

One connection listens, one rings. The database commits nothing for a ring and keeps nothing of it.
A URL of its own that leaves the machine says `sslmode=require`, better `verify-full`, or
`allow_plaintext=true`; of the store's address the store is the judge. Behind a pooler that lends a
connection for a transaction nothing is heard: give the server's own address here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege, InvalidAuthorizationSpecification

from mediamill.adapters.brokers.address import telling
from mediamill.adapters.brokers.relay import Relay
from mediamill.core import libpq
from mediamill.core.plaintext import ALLOWING

CHANNEL = "mediamill"
OURS = frozenset({"pool", "timeout", "prepare", ALLOWING})
"""Parameters that are the store's own or ours, not libpq's."""
DEFAULTS = {
    "application_name": "mediamill-doorbell",
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""A connection whose other end is silent is given up."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class PostgresLine:
    def __init__(self, hearing: Connection, ringing: Connection, bell: Relay) -> None:
        self._hearing, self._ringing, self._bell = hearing, ringing, bell

    async def send(self, message: bytes) -> None:
        await self._ringing.execute("SELECT pg_notify(%s, %s)", (CHANNEL, message.decode()))

    async def last(self) -> None:
        async for notice in self._hearing.notifies():
            self._bell.heard(notice.payload.encode())


class PostgresDoorbell(Relay):
    refusals = (InvalidAuthorizationSpecification, InsufficientPrivilege)
    together = 75
    """The database takes less than 8,000 bytes at a time."""

    def __init__(self, given: dict[str, str]) -> None:
        super().__init__()
        self._take(given)

    @classmethod
    def open(cls, url: str, store_url: str) -> "PostgresDoorbell":
        """Make the doorbell of a URL; raises `ConfigurationError`."""
        return cls(_read(url, store_url))

    def move(self, url: str, store_url: str) -> None:
        self._take(_read(url, store_url))

    def refused(self, error: Exception) -> bool:
        return super().refused(error) or libpq.refuses(error)

    def without_secrets(self, text: str) -> str:
        return text.replace(self._password, "[hidden]") if self._password else text

    def _take(self, given: dict[str, str]) -> None:
        self._conninfo, self._password = make_conninfo(**DEFAULTS | given), given.get("password")

    @asynccontextmanager
    async def line(self) -> AsyncIterator[PostgresLine]:
        async with await self._connect() as hearing, await self._connect() as ringing:
            await hearing.execute(f"LISTEN {CHANNEL}")
            await ringing.execute("SET synchronous_commit = off")  # a ring waits for no disk
            yield PostgresLine(hearing, ringing, self)

    async def _connect(self) -> Connection:
        return await Connection.connect(self._conninfo, autocommit=True, prepare_threshold=None)


def _read(url: str, store_url: str) -> dict[str, str]:
    """Return what a URL, or the store's, says to libpq; raises `ConfigurationError`."""
    own = bool(url.partition(":")[2])
    with telling():
        if not own and not store_url.startswith("postgresql:"):
            raise ValueError(
                "`postgresql:` rings through the store's database, and MEDIAMILL_STORE_URL "
                "names another kind: write postgresql://user@host/database"
            )
        given, ours = libpq.read(url if own else store_url, OURS)
        if own:
            libpq.refuse_plain(given, ours.get(ALLOWING))
    return given


plugin = PostgresDoorbell
