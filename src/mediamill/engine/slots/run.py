"""One call to a child: items are fed to it while its events come back."""

import asyncio
import math
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

from mediamill.core.errors import SlotFailure, TimedOut
from mediamill.engine.slots import calls
from mediamill.engine.slots.calls import (
    Call,
    CallItem,
    Done,
    Event,
    Failed,
    Progress,
    SlotLimits,
    Started,
    Succeeded,
)
from mediamill.engine.slots.process import Process
from mediamill.engine.slots.wire import Closed, Garbled

AHEAD = 8
"""Items that the child has been sent and has not begun: it need not wait for the next."""

TOGETHER = AHEAD // 2
"""Items that it is sent at a time, where all are known."""
WEIGH_SECONDS = 0.5
"""How long what a child holds is believed, once a call has begun."""
LATE_SECONDS = 0.25
"""How long to look for an outcome when the listener comes back after the time limit."""

Items = AsyncGenerator[CallItem, None]


class Run:
    """A call under way."""

    def __init__(self, child: Process, call: Call, scratch: Path, limits: SlotLimits) -> None:
        self._child, self._call, self._scratch = child, call, scratch
        self._seconds = limits.timeout_seconds
        self._room = asyncio.Semaphore(AHEAD)
        self._sent: dict[int, None] = {}
        self._current: int | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._deadline = 0.0
        self._weigh_at = 0.0
        self.over = False
        self.worn = False

    async def events(self) -> AsyncIterator[Event]:
        """Yield what happens to each item; the call is over when the last outcome is told."""
        self._feeding = asyncio.create_task(self._feed())
        self._feeding.add_done_callback(self._fed)
        self._extend()
        held: Event | None = None
        while True:
            message = await self._receive(held)
            if isinstance(message, Done):
                if self._sent:
                    raise self.nonsense("done before the end")
                self.over, self.worn = True, message.worn
                break
            event = self._checked(message)
            if held is not None:
                yield held
            held = None
            if isinstance(event, Succeeded | Failed) and self._nothing_left():
                held = event
            else:
                yield event
        if held is not None:
            yield held

    def stop(self) -> None:
        """End the call; a child that is in the middle of it is killed."""
        if self._feeding is not None:
            self._feeding.cancel()
        if not self.over:
            self.over = True
            self._child.kill()

    def _nothing_left(self) -> bool:
        feeding = self._feeding
        return not self._sent and feeding is not None and feeding.done()

    async def _receive(self, held: Event | None) -> calls.FromChild:
        now = asyncio.get_running_loop().time
        try:
            said = self._child.received()
            if said is not None and not (isinstance(said, Progress) and now() > self._deadline):
                return said
            async with asyncio.timeout_at(max(self._deadline, now() + LATE_SECONDS)):
                message = await self._child.receive()
                while isinstance(message, Progress) and now() > self._deadline:
                    message = await self._child.receive()
                return message
        except TimeoutError:
            self._child.kill()
            words = f"The item took longer than {self._seconds:g} seconds."
            raise TimedOut(words, index=self._current) from None
        except Closed:
            failure = await self._child.failure(self._current)
            if held is None:
                raise failure from None
            return Done(worn=True)  # every item had its outcome
        except Garbled as error:
            raise self.nonsense(str(error)) from None

    def nonsense(self, what: str) -> SlotFailure:
        """Kill a child that said what cannot be; return the error to raise."""
        self._child.kill()
        return SlotFailure("The process answered nonsense.", index=self._current, answer=what)

    def _checked(self, message: calls.FromChild) -> Event:
        """Believe the child only what can be true."""
        if isinstance(message, Started) and self._current is None and message.index in self._sent:
            self._current = message.index
            self._weigh()
            self._extend()
            self._room.release()
            return message
        if not isinstance(message, Progress | Succeeded | Failed) or message.index != self._current:
            raise self.nonsense(type(message).__name__)
        if isinstance(message, Progress):
            if not 0 <= message.fraction <= 1:
                raise self.nonsense(f"progress of {message.fraction}")
            return message
        del self._sent[message.index]
        self._current = None
        self._extend()
        if isinstance(message, Succeeded):
            self._check_files(message)
        return message

    def _check_files(self, message: Succeeded) -> None:
        for file in message.outcome.files:
            if file.path.parent != self._scratch or file.path.name in {"", ".", ".."}:
                raise self.nonsense(f"a file at {file.path}")
            if file.size != _size(file.path) or not 0 <= file.crc32 < 1 << 32:
                raise self.nonsense(f"a file of {file.size} bytes, CRC-32 {file.crc32}")

    def _weigh(self) -> None:
        """Weigh the child as a call begins, when what that needs is imported, and now and then."""
        now = asyncio.get_running_loop().time()
        if now >= self._weigh_at:
            self._child.weigh()
            self._weigh_at = math.inf if self._call.kind == "probe" else now + WEIGH_SECONDS

    def _extend(self) -> None:
        self._deadline = asyncio.get_running_loop().time() + self._seconds

    async def _feed(self) -> None:
        with suppress(Closed):  # whoever reads hears of it too
            await self._child.send(self._begin())
            if isinstance(self._call.items, tuple):
                await self._feed_all(self._call.items)
            else:
                await self._feed_each(self._call.items)
            await self._child.send(calls.End())

    async def _feed_all(self, items: tuple[CallItem, ...]) -> None:
        """Feed some at a time: a child that is quick is woken less often."""
        for start in range(0, len(items), TOGETHER):
            some = items[start : start + TOGETHER]
            for _ in some:
                await self._room.acquire()
            self._sent |= dict.fromkeys(item.index for item in some)
            descriptors = tuple(each for item in some for each in item.descriptors)
            await self._child.send(*map(_message, some), descriptors=descriptors)

    async def _feed_each(self, items: AsyncIterable[CallItem]) -> None:
        """Feed items as they come, none of them taken before there is room for it."""
        async with aclosing(_each(items)) as each:
            await self._room.acquire()
            async for item in each:
                self._sent[item.index] = None
                await self._child.send(_message(item), descriptors=item.descriptors)
                await self._room.acquire()

    def _begin(self) -> calls.Begin:
        call = self._call
        return calls.Begin(
            kind=call.kind,
            steps=call.steps,
            scratch=str(self._scratch),
            threads=call.threads,
            seed=call.seed,
            seconds=self._seconds,
            span=call.span,
            segment_seconds=call.segment_seconds,
            agreed=call.agreed,
        )

    def _fed(self, feeding: "asyncio.Task[None]") -> None:
        if feeding.cancelled():
            return
        error = feeding.exception()
        if isinstance(error, Exception):
            self._child.end.fail(error)


def _message(item: CallItem) -> calls.Item:
    return calls.Item(item.index, item.source())


def _size(path: Path) -> int | None:
    """Return the size of a regular file; None where there is none."""
    with suppress(OSError, ValueError):  # ValueError: no path at all
        found = os.lstat(path)
        return found.st_size if stat.S_ISREG(found.st_mode) else None
    return None


async def _each(items: AsyncIterable[CallItem]) -> Items:
    try:
        async for item in items:
            yield item
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
