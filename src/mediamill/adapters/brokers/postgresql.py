"""Doorbells through PostgreSQL's NOTIFY: `postgresql:` (the store's database) or a URL of its own.

One connection listens, one rings; rings that come together go out together. While the server is
away rings are lost, which a doorbell may; when it is back, everybody is rung once, for what they
may have missed. The database commits nothing for a ring and keeps nothing of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
import structlog

from mediamill.adapters.brokers.ears import Ear, Ears
from mediamill.core.errors import ConfigurationError

log = structlog.get_logger(__name__)

CHANNEL = "mediamill"
LONGEST_WAIT = 5.0
"""Seconds between attempts to reach a server that is away, at most."""
MOST_TOGETHER = 200
OURS = frozenset({"pool", "timeout"})
"""Parameters that are the store's own, not libpq's."""
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
            return cls(url)
        if not store_url.startswith("postgresql:"):
            message = (
                "MEDIAMILL_BROKER_URL: `postgresql:` rings through the store's database, and "
                "MEDIAMILL_STORE_URL names another kind: write postgresql://user@host/database."
            )
            raise ConfigurationError(message, setting="MEDIAMILL_BROKER_URL")
        return cls(_without_ours(store_url))

    async def ring(self, channel: str) -> None:
        self._start()
        self._here.ring(channel)
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
            with suppress(psycopg.Error, OSError):
                async with await Connection.connect(
                    self._address, autocommit=True, connect_timeout=10
                ) as connection:
                    wait = 0.05
                    await work(connection)
            log.warning("doorbell is away", action="doorbell_away", way=work.__name__)
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    async def _hearing(self, connection: Connection) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        self._here.ring_all()
        async for notice in connection.notifies():
            self._here.ring(notice.payload)

    async def _ringing(self, connection: Connection) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            some = list(self._waiting)[:MOST_TOGETHER]
            for channel in some:
                del self._waiting[channel]
            if some:
                await connection.execute(RING, (CHANNEL, some))
            if self._waiting:
                self._rung.set()


def _without_ours(store_url: str) -> str:
    """Leave of the store's URL what libpq understands."""
    parts = urlsplit(store_url)
    theirs = [(name, value) for name, value in parse_qsl(parts.query) if name not in OURS]
    return parts._replace(query=urlencode(theirs)).geturl()


plugin = PostgresDoorbell
