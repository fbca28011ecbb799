"""A web application for one request that is here whole, and one answer that leaves whole.

The application is told of the limits (`web/gateway.py`) and keeps to them where it can. Where it
sends more it is stopped, and the answer says why.
"""

import asyncio
import time

from starlette.types import ASGIApp, Message

from mediamill.aws.payloads import Answered, Asked
from mediamill.core.errors import AnswerTooLarge, MediamillError, Unavailable
from mediamill.web.gateway import KEY, Gateway, too_large
from mediamill.web.problems import render, report_of

BOUND_SECONDS = 29.0
"""How long a gateway waits."""
MARGIN_SECONDS = 1.0
"""What is left when the application is cut off, for the answer that says so."""


async def exchange(app: ASGIApp, request: Asked, left: float) -> Answered:
    """Return the application's answer; `left` are the seconds until this process is killed."""
    seconds = min(left, BOUND_SECONDS if request.bounded else left) - MARGIN_SECONDS
    gateway = Gateway(request.most, time.monotonic() + seconds, request.vouched, request.stage)
    cycle = Cycle(request.body, request.most)
    scope = {**request.scope(), KEY: gateway}
    try:
        async with asyncio.timeout(seconds):
            await app(scope, cycle.receive, cycle.send)
    except TimeoutError:
        return problem(Unavailable("This took too long: try again, or ask for less."))
    except Exception as error:  # it was logged, and nothing has left yet: no half answer does
        if cycle.refusal is None:
            cause = error.__cause__
            return problem(cause if isinstance(cause, MediamillError) else error)
    if cycle.refusal is not None:
        return problem(cycle.refusal)
    return Answered(cycle.status, cycle.headers, bytes(cycle.body))


def problem(error: Exception) -> Answered:
    """Return an error as an answer."""
    response = render(report_of(error))
    return Answered(response.status_code, response.raw_headers, bytes(response.body))


class Cycle:
    """What an application receives and sends."""

    def __init__(self, body: bytes, most: int) -> None:
        self._unread: bytes | None = body
        self._most, self._gone = most, asyncio.Event()
        self.status, self.headers = 500, list[tuple[bytes, bytes]]()
        self.body = bytearray()
        self.refusal: AnswerTooLarge | None = None

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
        if self.refusal is None and len(self.body) + len(data) <= self._most:
            self.body += data
            return
        self.body.clear()
        self._gone.set()
        self.refusal = self.refusal or too_large(self._most)
        raise self.refusal
