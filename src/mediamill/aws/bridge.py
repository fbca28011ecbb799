"""A web application for one request that is here whole, and one answer that leaves whole.

The application is told of the limits (`web/gateway.py`) and keeps to them where it can. What it
sends beyond is not collected: it is told that the caller went away, and the answer says why.
"""

import asyncio
import time

from starlette.types import ASGIApp, Message

from mediamill.aws.payloads import Answered, Asked
from mediamill.core.errors import MediamillError, Unavailable
from mediamill.web.gateway import KEY, Gateway
from mediamill.web.problems import render, report_of

MOST = 4_500_000
"""Bytes of a body: of the 6 MB of an event or an answer, base 64 takes a quarter, headers some."""
BOUND_SECONDS = 29.0
"""How long a gateway waits."""
MARGIN_SECONDS = 1.0
"""What is left when the application is cut off, for the answer that says so."""


async def exchange(app: ASGIApp, request: Asked, left: float) -> Answered:
    """Return the application's answer; `left` are the seconds until this process is killed."""
    seconds = min(left, BOUND_SECONDS if request.bounded else left) - MARGIN_SECONDS
    gateway = Gateway(MOST, time.monotonic() + seconds, request.vouched, request.stage)
    cycle = Cycle(request.body)
    scope = {**request.scope(), KEY: gateway}
    try:
        async with asyncio.timeout(seconds):
            await app(scope, cycle.receive, cycle.send)
    except TimeoutError:
        return problem(Unavailable("This took too long: try again, or ask for less."))
    except Exception as error:  # it was logged, and nothing has left yet: no half answer does
        return problem(error.__cause__ if isinstance(error.__cause__, MediamillError) else error)
    if cycle.overfull:
        try:
            gateway.refuse(max(cycle.promised, cycle.size), ranged=False)
        except MediamillError as error:
            return problem(error)
    return Answered(cycle.status, cycle.headers, bytes(cycle.body))


def problem(error: Exception) -> Answered:
    """Return an error as an answer."""
    response = render(report_of(error))
    return Answered(response.status_code, response.raw_headers, bytes(response.body))


class Cycle:
    """What an application receives and sends."""

    def __init__(self, body: bytes) -> None:
        self._unread: bytes | None = body
        self._gone = asyncio.Event()
        self.status, self.headers = 500, list[tuple[bytes, bytes]]()
        self.body = bytearray()
        self.size = self.promised = 0
        self.overfull = False

    async def receive(self) -> Message:
        if self._unread is not None:
            body, self._unread = self._unread, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
            return
        data = message.get("body", b"")
        self.size += len(data)
        if self.size > MOST:
            self.overfull = True
            self.body.clear()
            self._gone.set()
        else:
            self.body += data
