r"""Doorbells through RabbitMQ: `amqp://user:password@host:5672/vhost`, `amqps://` with TLS.

Rings are published to a fanout exchange, `name`, and come out of a queue of each process, which is
gone with its connection and keeps so many rings for so long; none is written to disk. A user needs
to configure, write and read `^(mediamill|amq\.gen-.*)$`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
)
from aiormq.abc import FieldTable
from aiormq.exceptions import (
    AuthenticationError,
    ChannelAccessRefused,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)

from mediamill.adapters.brokers.address import Address
from mediamill.adapters.brokers.addressed import AddressedRelay
from mediamill.adapters.brokers.relay import CONNECT_SECONDS, PULSE_SECONDS

BOUNDS: FieldTable = {"x-max-length": 10_000, "x-message-ttl": 60_000, "x-overflow": "drop-head"}
"""What a queue keeps for a process that does not listen: messages, milliseconds."""


class AmqpLine:
    def __init__(self, channel: AbstractChannel, exchange: AbstractExchange) -> None:
        self._channel, self._exchange = channel, exchange

    async def send(self, message: bytes) -> None:
        await self._exchange.publish(aio_pika.Message(message), routing_key="")  # is confirmed

    async def last(self) -> None:
        await self._channel.closed()  # so it is when the connection is


class AmqpDoorbell(AddressedRelay):
    refusals = (
        AuthenticationError,
        ChannelAccessRefused,
        ConnectionNotAllowed,
        ProbableAuthenticationError,
    )

    @staticmethod
    def read(url: str) -> Address:
        return Address.of(url, plain="amqp", encrypted="amqps", port=5672, tls_port=5671)

    @asynccontextmanager
    async def line(self) -> AsyncIterator[AmqpLine]:
        async with await self._connect() as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange(
                self._address.name, aio_pika.ExchangeType.FANOUT
            )
            queue = await channel.declare_queue(exclusive=True, auto_delete=True, arguments=BOUNDS)
            await queue.bind(exchange)
            await queue.consume(self._comes, no_ack=True)
            yield AmqpLine(channel, exchange)

    async def _connect(self) -> AbstractConnection:
        address = self._address
        return await aio_pika.connect(
            host=address.host,
            port=address.port,
            login=address.user or "guest",
            password=address.password or "guest",
            virtualhost=address.path or "/",
            ssl=address.secure,
            ssl_context=address.context(),
            timeout=CONNECT_SECONDS,
            heartbeat=PULSE_SECONDS,
        )

    async def _comes(self, message: AbstractIncomingMessage) -> None:
        self.heard(message.body)


plugin = AmqpDoorbell
