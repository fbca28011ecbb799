"""Limits on request bodies, kept while they arrive: size, and a client that lets us wait.

A body may pause, but what has been waited for in all is bounded by what came: five seconds, and
one more for each kilobyte, at most thirty at a time. So a phone in a tunnel keeps its upload, and
a client that sends a byte a second is gone after five.

A request that is refused while its body is still coming gets its answer at once, and is read on for
a moment before the connection closes: a connection closed with unread bytes is reset, and the
client would never see why.
"""

import asyncio
import re
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1 << 20
"""Bytes of a JSON body: the largest, a job over 10,000 files, has 400 kB."""
MAX_SIGN_IN_BODY = 64 << 10
"""Bytes of what strangers send: an address, a password, a name."""
MAX_FILE_BODY = 15 << 20
"""Bytes of a JSON body that holds a file: 10 MiB as base 64, and what is said of it."""
MAX_VALUES = 50_000
"""Values of a JSON body. A megabyte may hold half a million, and becomes 50 MB and a second."""
MAX_MEMBERS = 5_000
"""Members of all objects of a JSON body: each that is not known becomes an error to be written."""
_MEMBER = re.compile(rb'"\s*:')
GRACE_SECONDS = 5.0
LEAST_BYTES_PER_SECOND = 1024
LONGEST_PAUSE = 30.0
LINGER_BYTES = 256 << 20
LINGER_SECONDS = 3.0
CLOSE = (b"connection", b"close")


def refuse_too_many(body: bytes) -> None:
    """Raise `HTTPException` 413 for JSON of too many values, which is not read then.

    Commas and brackets are counted, those within strings too: a little too many, at the price of a
    look. Colons are not: ten thousand times such as 1:02:03.5 are one list.
    """
    if body.count(b":") > MAX_MEMBERS and len(_MEMBER.findall(body)) > MAX_MEMBERS:
        raise HTTPException(413, f"A JSON body may have at most {MAX_MEMBERS:,} members here.")
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"[", b"{"))) >= MAX_VALUES:
        raise HTTPException(413, f"A JSON body may have at most {MAX_VALUES:,} values here.")


class BodyGuard:
    """Apply the limits to every request; `most` says how many bytes, None if checked elsewhere."""

    def __init__(self, app: ASGIApp, most: Callable[[Scope], int | None]) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive, self.most(scope))

        async def closing(message: Message) -> None:
            if body.finished:
                await send(message)
            elif message["type"] == "http.response.start":
                await send({**message, "headers": [*message["headers"], CLOSE]})
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await body.linger()
                await send({"type": "http.response.body", "body": b""})

        await self.app(scope, body.receive, closing)


class _Body:
    """A request's body as it arrives."""

    def __init__(self, scope: Scope, receive: Receive, limit: int | None) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        self.announced = int(length) if length.isdigit() and len(length) < 20 else 0
        self.finished = not self.announced and b"transfer-encoding" not in headers
        self.expecting = b"expect" in headers
        self._receive, self._limit = receive, limit
        self._received, self._waited = 0, 0.0

    async def receive(self) -> Message:
        """Return the next message; raises `HTTPException` 413 or 408."""
        if self.finished:
            return await self._receive()
        if self._limit is not None and self.announced > self._limit:
            raise _too_large(self._limit)
        message = await self._wait()
        self._note(message)
        if self._limit is not None and self._received > self._limit:
            raise _too_large(self._limit)
        return message

    async def linger(self) -> None:
        """Read on for a moment, so that the client comes to reading our answer."""
        if self.expecting and not self._received:
            return
        most = self._received + LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.finished and self._received < most:
                    self._note(await self._receive())
        except TimeoutError:
            return

    async def _wait(self) -> Message:
        credit = GRACE_SECONDS + self._received / LEAST_BYTES_PER_SECOND - self._waited
        start = time.monotonic()
        try:
            async with asyncio.timeout(min(LONGEST_PAUSE, credit)):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(408, "The request’s body came too slowly.") from None
        finally:
            self._waited += time.monotonic() - start

    def _note(self, message: Message) -> None:
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self.finished = not message.get("more_body", False)
        else:
            self.finished = True


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"A body may have at most {limit:,} bytes here.")
