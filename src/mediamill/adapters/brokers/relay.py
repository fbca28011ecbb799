"""What all doorbells through a server share: rings are heard here at once, elsewhere through it.

    ring ──▶ who listens here
      └────▶ outbox ──▶ line ──▶ server ──▶ lines of other processes ──▶ who listens there

A line is a connection that hears before it is handed over. When it breaks another one is made,
after a wait that grows, and then everybody here is rung once, for what they may have missed; rings
of this process that the server has not taken are sent then.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context
from typing import Any, ClassVar, Protocol

import structlog

from mediamill.adapters.brokers.address import SETTING
from mediamill.adapters.brokers.ears import Ear, Ears
from mediamill.adapters.brokers.outbox import EVERYBODY, Outbox
from mediamill.core.errors import MediamillError
from mediamill.core.ids import new_id
from mediamill.core.sourced import Sourced

log = structlog.get_logger(__name__)

MOST_TOGETHER, LARGEST = 200, 1 << 16
"""Channels in one message; bytes of a message that are looked at."""
LEAST_WAIT, LONGEST_WAIT = 0.05, 5.0
"""Seconds between attempts to reach a server that is away."""
CONNECT_SECONDS, SEND_SECONDS, FAREWELL_SECONDS, INSIST_SECONDS = 10.0, 10.0, 1.0, 0.5
PULSE_SECONDS = 15
"""How often a quiet connection is asked whether it lives."""


class Line(Protocol):
    """A connection to the server, on which rings of others come already."""

    async def send(self, message: bytes) -> None:
        """Hand rings to the server, as one message; return when it has them."""

    async def last(self) -> None:
        """Go on hearing until the connection ends; return or raise then."""


class Relay(ABC):
    """A doorbell through a server; a backend says how a line to it is made."""

    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors that say that the server does not let us in."""

    together: ClassVar[int] = MOST_TOGETHER
    """Rings that go in one message."""

    def __init__(self) -> None:
        self._id = new_id("bell")
        self._here = Ears()
        self._outbox = Outbox()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._sources: tuple[Sourced, ...] = ()
        self._said: list[str] = []
        self.connected: bool | None = None
        self.trouble = ""

    @abstractmethod
    def line(self) -> AbstractAsyncContextManager[Line]:
        """Connect and hear, handing what comes to `heard`; the block's end disconnects."""

    def without_secrets(self, text: str) -> str:
        """Return an error's text as it may be logged."""
        return text

    def move(self, url: str, store_url: str) -> None:
        """Take another address, from the next line on; raises `ConfigurationError`."""
        return  # one without a password stays as it is

    def refused(self, error: Exception) -> bool:
        """Tell whether the server does not let us in."""
        return isinstance(error, self.refusals)

    def follow(self, url: Sourced, store_url: Sourced) -> None:
        self._sources = url, store_url

    async def ring(self, channel: str) -> None:
        self._here.ring(channel)
        self._outbox.add(channel)
        self._start()

    def listen(self, *channels: str) -> Ear:
        self._start()
        return self._here.listen(*channels)

    async def delivered(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._outbox.idle.wait()
        return self._outbox.idle.is_set()

    async def close(self) -> None:
        """Send what waits if the server is there, then leave."""
        self._closed = True
        if self._task is not None:
            with suppress(TimeoutError):
                if self.connected:
                    async with asyncio.timeout(FAREWELL_SECONDS):
                        await self._outbox.idle.wait()
            await _ended(self._task)
        self._here.clear()

    def heard(self, message: bytes) -> None:
        """Wake whom a message of another process is for."""
        sender, *channels = message[:LARGEST].decode(errors="replace").split("\n")
        if sender == self._id:
            return
        if EVERYBODY in channels:
            self._here.ring_all()
        for channel in channels:
            self._here.ring(channel)

    # -- behind it ------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None and not self._closed:
            # in a context of its own: it outlives the request that rings first
            self.connected = False
            self._task = asyncio.create_task(self._keep(), context=Context())

    async def _keep(self) -> None:
        """Hold a line; another one when it breaks."""
        wait = LEAST_WAIT
        loop = asyncio.get_running_loop()
        while not self._closed:
            since = loop.time()
            try:
                await self._hold()
            except Exception as error:
                self._tell(error)
                if self.refused(error) and await self._settle(renew=True):
                    wait = LEAST_WAIT
            if loop.time() - since > LONGEST_WAIT:
                wait = LEAST_WAIT
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads processes
            wait = min(LONGEST_WAIT, wait * 2)

    async def _settle(self, *, renew: bool = False) -> bool:
        """Look the address up; tell whether it is another one. Where that fails the last holds."""
        try:
            said = [await (one.renewed() if renew else one.current()) for one in self._sources]
            if said == self._said:
                return False
            self.move(*said)
        except MediamillError as error:
            log.error("a setting is unusable; the last one is used", action="setting_broken",
                      setting=SETTING, error=error.message)  # fmt: skip
            return False
        self._said = said
        return True

    async def _hold(self) -> None:
        """Connect, and hear and ring until that ends."""
        await self._settle()
        connecting = self.line()
        async with asyncio.timeout(CONNECT_SECONDS):
            line = await connecting.__aenter__()
        try:
            self.connected, self.trouble = True, ""
            log.info("doorbell connected", action="doorbell_connected", bell=type(self).__name__)
            self._here.ring_all()
            await first_of(line.last(), self._ringing(line))
            raise ConnectionError("the connection ended")
        finally:
            self.connected = False
            with suppress(Exception):  # it is given up either way
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await connecting.__aexit__(None, None, None)

    async def _ringing(self, line: Line) -> None:
        """Send what is in the outbox."""
        while True:
            some = await self._outbox.take(self.together)
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await line.send("\n".join((self._id, *some)).encode())
            except BaseException:
                self._outbox.add(*some)
                raise

    def _tell(self, error: Exception) -> None:
        """Log why there is no line, once for each reason."""
        text = str(error) or "no answer"
        reason = self.without_secrets(f"{type(error).__name__}: {text}")[:500].rstrip(".")
        if reason == self.trouble:
            return
        self.trouble = reason
        if self.refused(error):
            log.error(
                "the broker refuses us: look at user and password in MEDIAMILL_BROKER_URL",
                action="doorbell_refused", bell=type(self).__name__, error=reason,
            )  # fmt: skip
        else:
            log.warning("doorbell is away", action="doorbell_away", bell=type(self).__name__,
                        error=reason)  # fmt: skip


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run some works until one of them ends; the others are ended, and what it raised is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            await _ended(task)


async def _ended(task: "asyncio.Task[None]") -> None:
    """End a task; again and again, for a library may swallow that it is cancelled."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=INSIST_SECONDS)
    if not task.cancelled():
        task.exception()  # is known, or no matter any more
