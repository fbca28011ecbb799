"""Doorbells through PostgreSQL's NOTIFY: `postgresql:` (the store's database) or a URL of its own.

One connection listens, one rings. The database commits nothing for a ring and keeps nothing of it.
A URL of its own that leaves the machine says `sslmode=require`, better `verify-full`, or
`allow_plaintext=true`; of the store's address the store is the judge. Behind a pooler that lends a
connection for a transaction nothing is heard: give the server's own address here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege, InvalidAuthorizationSpecification

from mediamill.adapters.brokers.address import telling
from mediamill.adapters.brokers.relay import Relay
from mediamill.core.plaintext import ALLOWING, refuse_plaintext

CHANNEL = "mediamill"
OURS = frozenset({"pool", "timeout", "prepare", ALLOWING})
"""Parameters that are the store's own or ours, not libpq's."""
ENCRYPTED = ("require", "verify-ca", "verify-full")
DEFAULTS = {
    "application_name": "mediamill-doorbell",
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""A connection whose other end is silent is given up."""
FORM = "write postgresql://user:password@host:port/database, with %2F for / in a password and so on"

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

    def __init__(self, conninfo: str, password: str = "") -> None:
        super().__init__()
        self._conninfo, self._password = conninfo, password

    @classmethod
    def open(cls, url: str, store_url: str) -> "PostgresDoorbell":
        """Make the doorbell of a URL; raises `ConfigurationError`."""
        own = bool(url.partition(":")[2])
        with telling():
            if not own and not store_url.startswith("postgresql:"):
                raise ValueError(
                    "`postgresql:` rings through the store's database, and MEDIAMILL_STORE_URL "
                    "names another kind: write postgresql://user@host/database"
                )
            given, ours = _read(url if own else store_url)
            if own and given.get("sslmode") not in ENCRYPTED:
                for host in _hosts(given):
                    refuse_plaintext(host, ours.get(ALLOWING), "?sslmode=verify-full")
        return cls(make_conninfo(**DEFAULTS | given), given.get("password", ""))

    def without_secrets(self, text: str) -> str:
        return text.replace(self._password, "[hidden]") if self._password else text

    @asynccontextmanager
    async def line(self) -> AsyncIterator[PostgresLine]:
        async with await self._connect() as hearing, await self._connect() as ringing:
            await hearing.execute(f"LISTEN {CHANNEL}")
            await ringing.execute("SET synchronous_commit = off")  # a ring waits for no disk
            yield PostgresLine(hearing, ringing, self)

    async def _connect(self) -> Connection:
        return await Connection.connect(self._conninfo, autocommit=True, prepare_threshold=None)


def _read(url: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return what libpq makes of a URL, its defaults of the environment included; and what is ours.

    Raises `ValueError`, whose text never holds the password.
    """
    try:
        place, _, query = url.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        ours = {name: options.pop(name) for name in OURS & options.keys()}
        given = conninfo_to_dict(f"{place}?{urlencode(options, quote_via=quote)}")
    except (ValueError, psycopg.ProgrammingError):  # both quote what they could not read
        raise ValueError(FORM) from None
    usual = {o.keyword.decode(): o.val.decode() for o in pq.Conninfo.get_defaults() if o.val}
    return usual | {name: str(value) for name, value in given.items()}, ours


def _hosts(given: dict[str, str]) -> list[str]:
    """List where a connection may go to; a socket on this machine unless something is said."""
    return (given.get("hostaddr") or given.get("host") or "/").split(",")


plugin = PostgresDoorbell
