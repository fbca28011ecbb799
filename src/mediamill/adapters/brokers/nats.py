"""Doorbells through NATS: `nats://user:password@host:4222`, or `token@host`; `tls://` with TLS.

Rings are published on one subject, `name`, that every process subscribes to; the server keeps
nothing. A user needs to publish and subscribe to that subject.

The client would speak in the clear, password and all, to a server that does not ask for TLS, or to
whoever cut that out of its greeting: so the password is handed over only once TLS was asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import AuthorizationError, Error, SecureConnWantedError

from mediamill.adapters.brokers.address import Address, telling
from mediamill.adapters.brokers.addressed import AddressedRelay
from mediamill.adapters.brokers.relay import (
    CONNECT_SECONDS,
    PULSE_SECONDS,
    SEND_SECONDS,
    first_of,
)

CLOSE_SECONDS = 0.2
Ended = Callable[..., Awaitable[None]]


class NatsLine:
    def __init__(self, client: Client, subject: str, over: "asyncio.Future[None]") -> None:
        self._client, self._subject, self._over = client, subject, over

    async def send(self, message: bytes) -> None:
        await self._client.publish(self._subject, message)
        await self._client.flush(int(SEND_SECONDS))  # is answered when the server has it

    async def last(self) -> None:
        await asyncio.shield(self._over)  # which may be waited for again


class NatsDoorbell(AddressedRelay):
    refusals = (AuthorizationError, SecureConnWantedError)

    @staticmethod
    def read(url: str) -> Address:
        address = Address.of(url, plain="nats", encrypted="tls", port=4222)
        with telling():
            if address.path:
                raise ValueError("leave out what follows the port")
        return address

    @asynccontextmanager
    async def line(self) -> AsyncIterator[NatsLine]:
        client, over = Client(), asyncio.get_running_loop().create_future()

        async def ended(error: Exception | None = None) -> None:
            """Take the first word on what is wrong: also that the client let rings fall."""
            if not over.done():
                over.set_exception(error or ConnectionError("the server closed the connection"))
                over.exception()  # nobody waits for it while connecting

        try:
            await self._connect(client, ended, over)
            await client.subscribe(self._address.name, cb=self._comes)
            line = NatsLine(client, self._address.name, over)
            await first_of(client.flush(int(CONNECT_SECONDS)), line.last())  # it is subscribed
            yield line
        finally:
            with suppress(Exception):  # it waits for ever for what was cut while it connected
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.close()

    async def _connect(self, client: Client, ended: Ended, over: "asyncio.Future[None]") -> None:
        address, scheme = self._address, "tls" if self._address.secure else "nats"
        host = f"[{address.host}]" if ":" in address.host else address.host

        def secret() -> str:
            if not self.is_private(client):
                raise SecureConnWantedError
            return (address.user if address.password is None else address.password) or ""

        way = {"token": secret} if address.password is None else {"password": secret}
        options: dict[str, Any] = {} if address.user is None else way
        try:
            await client.connect(
                f"{scheme}://{host}:{address.port}",
                user=address.user if address.password is not None else None,
                tls=address.context(),
                allow_reconnect=False,  # what it missed meanwhile would go unnoticed
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=int(CONNECT_SECONDS),
                ping_interval=PULSE_SECONDS,
                no_echo=True,
                error_cb=ended,
                closed_cb=ended,
                **options,
            )
        except Error as error:
            raise _meant(error, over) from None
        if not self.is_private(client):
            raise SecureConnWantedError

    def is_private(self, client: Client) -> bool:
        """Tell whether the connection is as private as was asked for."""
        return not self._address.secure or bool(client._server_info.get("tls_required"))

    async def _comes(self, message: Msg) -> None:
        self.heard(message.data)


def _meant(error: Error, over: "asyncio.Future[None]") -> BaseException:
    """Return what a failure to connect was about: `NoServersError` does not say."""
    first = over.exception() if over.done() else None
    if "authorization" in str(error).lower():
        return AuthorizationError()
    return error if first is None or isinstance(error, SecureConnWantedError) else first


plugin = NatsDoorbell
