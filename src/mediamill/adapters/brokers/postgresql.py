"""Doorbells through PostgreSQL's NOTIFY: `postgresql:` (the store's database) or a URL of its own.

One connection listens, one rings; rings that come together go out together. While the server is
away rings are lost, which a doorbell may; when it is back, everybody is rung once, for what they
may have missed. A silent server is given up within half a minute. A ring is a transaction that
writes nothing and waits for no disk. A pooler must not hand connections out by the transaction
(pgbouncer: `pool_mode = session`, or a URL that goes past it): what was listened to is lost there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mediamill.adapters.brokers.ears import Ear, Ears
from mediamill.core.errors import ConfigurationError

log = structlog.get_logger(__name__)

CHANNEL = "mediamill"
LONGEST_WAIT = 5.0
"""Seconds between attempts to reach a server that is away, at most."""
MOST_TOGETHER = 200
MOST_WAITING = 10_000
"""Channels that are kept to be rung; above it everybody is rung instead."""
LONGEST_NAME = 7000
"""Bytes; NOTIFY takes less than 8,000."""
EVERYBODY = ""
"""What is sent to ring all channels."""
SETTING = "MEDIAMILL_BROKER_URL"
OURS = frozenset({"pool", "timeout", "prepare"})
"""Parameters that are the store's own, not libpq's."""
PATIENCE = {
    "application_name": "mediamill-doorbell",
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
RING = "SELECT pg_notify(%s, ring) FROM unnest(%s::text[]) AS ring"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class PostgresDoorbell:
    """Rings in this process at once, and in all others through the server."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._here = Ears()
        self._waiting: dict[str, None] = {}
        self._rung = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    def open(cls, url: str, store_url: str) -> "PostgresDoorbell":
        """Make the doorbell of a URL; raises `ConfigurationError`."""
        if url.partition(":")[2]:
            return cls(_conninfo(url))
        if not store_url.startswith("postgresql:"):
            message = (
                f"{SETTING}: `postgresql:` rings through the store's database, and "
                "MEDIAMILL_STORE_URL names another kind: write postgresql://user@host/database."
            )
            raise ConfigurationError(message, setting=SETTING)
        return cls(_conninfo(store_url))

    async def ring(self, channel: str) -> None:
        self._start()
        self._here.ring(channel)
        if len(channel.encode()) > LONGEST_NAME or len(self._waiting) >= MOST_WAITING:
            self._waiting = {EVERYBODY: None}
        elif EVERYBODY not in self._waiting:
            self._waiting[channel] = None
        self._rung.set()

    def listen(self, *channels: str) -> Ear:
        self._start()
        return self._here.listen(*channels)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._here.clear()

    # -- behind it ------------------------------------------------------------------------------

    def _start(self) -> None:
        if not self._tasks:
            ways = (self._hearing, self._ringing)
            self._tasks = [asyncio.create_task(self._forever(way)) for way in ways]

    async def _forever(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        """Work on a connection; on another one when it breaks."""
        wait = 0.05
        while True:
            try:
                async with await Connection.connect(
                    self._address, autocommit=True, prepare_threshold=None
                ) as connection:
                    wait = 0.05
                    await work(connection)
            except Exception as error:  # whatever it is: it goes on with another connection
                told = str(error).partition("\n")[0]
                way = work.__name__
                log.warning("doorbell is away", action="doorbell_away", way=way, error=told)
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    async def _hearing(self, connection: Connection) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        self._here.ring_all()
        async for notice in connection.notifies():
            if notice.payload == EVERYBODY:
                self._here.ring_all()
            self._here.ring(notice.payload)

    async def _ringing(self, connection: Connection) -> None:
        await connection.execute("SET synchronous_commit = off")
        while True:
            await self._rung.wait()
            self._rung.clear()
            while some := list(self._waiting)[:MOST_TOGETHER]:
                for channel in some:
                    del self._waiting[channel]
                await connection.execute(RING, (CHANNEL, some))


def _conninfo(url: str) -> str:
    """Leave of a URL, which may be the store's, what libpq understands, and add our patience."""
    parts = urlsplit(url)
    theirs = [(name, value) for name, value in parse_qsl(parts.query) if name not in OURS]
    address = parts._replace(query=urlencode(theirs, quote_via=quote)).geturl()
    try:
        return make_conninfo(address, **PATIENCE | conninfo_to_dict(address))
    except psycopg.ProgrammingError:  # says what it could not read, which may be the password
        message = f"{SETTING}: write postgresql://user:password@host:port/database."
        raise ConfigurationError(message, setting=SETTING) from None


plugin = PostgresDoorbell
