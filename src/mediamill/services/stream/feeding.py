"""One partition: messages are prepared in batches, beside each other, and settled in order.

    take ──▶ waiting ──▶ batches (being prepared) ──▶ settled: rows, or dead letters

While batches are under way messages wait, so that batches are the larger the more there is to do.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from mediamill.adapters.stream.port import Message, Part, Stream
from mediamill.core.errors import MediamillError
from mediamill.services.stream.filing import Prepared, pause, portion
from mediamill.services.stream.settling import Settling, Stale

log = structlog.get_logger(__name__)

AHEAD = 3
"""Batches of a partition that are prepared or wait to be settled."""


Preparing = asyncio.Task[Sequence[Prepared]]


@dataclass
class Feed:
    """A partition that is ours."""

    settling: Settling
    stream: Stream
    stale: bool = False
    _waiting: deque[Message] = field(default_factory=deque)
    _batches: deque[tuple[Sequence[Message], Preparing]] = field(default_factory=deque)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _draining: bool = False
    _running: "asyncio.Task[None] | None" = None

    @property
    def part(self) -> Part:
        return self.settling.part

    @property
    def settled(self) -> int:
        """The first offset that is not settled."""
        return self.settling.settled

    def start(self) -> None:
        """Begin to settle what comes."""
        self._running = asyncio.ensure_future(self._run())

    def take(self, messages: Sequence[Message]) -> None:
        """Take messages; they are prepared as soon as there is room."""
        if not self._draining and not self.stale:
            self._waiting.extend(messages)
            self._fill()

    async def drain(self) -> None:
        """Finish what was begun, and take no more."""
        self._draining = True
        self._waiting.clear()
        self._more.set()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def stop(self) -> None:
        """End at once; what is not settled is taken again, here or elsewhere.

        Bytes without a row are left to the collector: a row may be on its way still.
        """
        self._draining = True
        preparing = [task for _, task in self._batches]
        tasks = [task for task in (self._running, *preparing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._batches) < AHEAD:
            messages = portion(self._waiting)
            self._batches.append((messages, asyncio.ensure_future(self._prepare(messages))))
        self._more.set()

    async def _prepare(self, messages: Sequence[Message]) -> Sequence[Prepared]:
        new = [message for message in messages if message.offset >= self.settling.row.next]
        return await self.settling.filing.prepare(new, self.settling.rule)

    async def _run(self) -> None:
        try:
            while await self._begun():
                messages, preparing = self._batches[0]
                await self._settle(await preparing)
                self._batches.popleft()
                self.stream.release(messages)
                self._fill()
        except Stale:
            self.stale = True
            log.info("partition left", action="partition_left", topic=self.part.topic,
                     partition=self.part.number)  # fmt: skip

    async def _begun(self) -> bool:
        """Wait for a batch to be begun; False once all is drained."""
        while not self._batches:
            if self._draining:
                return False
            self._more.clear()
            await self._more.wait()
        return True

    async def _settle(self, batch: Sequence[Prepared]) -> None:
        """Settle messages, however often that has to be tried; raises `Stale`."""
        tries = 0
        while True:
            try:
                await self.settling.settle(batch)
            except Stale:
                raise
            except Exception as error:
                tries += 1
                defect = None if isinstance(error, MediamillError) else error
                log.warning("settled later", action="settle_failed", error=str(error),
                            topic=self.part.topic, partition=self.part.number,
                            exc_info=defect)  # fmt: skip
                await asyncio.sleep(pause(tries))
            else:
                return
