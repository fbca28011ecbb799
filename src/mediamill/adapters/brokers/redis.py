"""Doorbells through Redis or Valkey: `redis://user:password@host:6379`, `rediss://` with TLS.

Rings are published on one channel, `name`, that every process subscribes to; the server keeps
nothing. An access list needs `+subscribe +publish +ping` and the channel (`&mediamill`).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError

from mediamill.adapters.brokers.address import Address, telling
from mediamill.adapters.brokers.addressed import AddressedRelay
from mediamill.adapters.brokers.relay import CONNECT_SECONDS, PULSE_SECONDS, SEND_SECONDS


class RedisLine:
    """Two connections: what subscribes can do nothing else."""

    def __init__(
        self, client: Redis, pubsub: PubSub, name: str, heard: Callable[[bytes], None]
    ) -> None:
        self._client, self._pubsub, self._name, self._heard = client, pubsub, name, heard

    async def send(self, message: bytes) -> None:
        await self._client.publish(self._name, message)

    async def last(self) -> None:
        silent = False
        while True:
            answer = await self._pubsub.get_message(timeout=PULSE_SECONDS)
            if answer is None:
                if silent:
                    raise ConnectionError("no answer to a ping")
                await self._pubsub.ping()
            elif answer["type"] == "message":
                self._heard(answer["data"])
            silent = answer is None


class RedisDoorbell(AddressedRelay):
    refusals = (AuthenticationError, NoPermissionError)

    @staticmethod
    def read(url: str) -> Address:
        address = Address.of(url, plain="redis", encrypted="rediss", port=6379)
        with telling():
            if address.path not in ("", "0"):
                raise ValueError("leave out the database: a channel is the same in all of them")
        return address

    @asynccontextmanager
    async def line(self) -> AsyncIterator[RedisLine]:
        async with self._client() as client, client.pubsub() as pubsub:
            await pubsub.subscribe(self._address.name)
            await pubsub.get_message(timeout=None)  # that it is subscribed
            yield RedisLine(client, pubsub, self._address.name, self.heard)

    def _client(self) -> Redis:
        """Make a client that never connects again by itself: what it missed would go unnoticed."""
        address = self._address
        return Redis(
            host=address.host,
            port=address.port,
            username=address.user or None,
            password=address.password,
            ssl=address.secure,
            ssl_ca_certs=address.ca,
            protocol=2,
            socket_timeout=SEND_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )


plugin = RedisDoorbell
