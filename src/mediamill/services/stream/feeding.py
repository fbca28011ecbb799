"""One partition: messages are prepared beside each other and settled in order.

    take ──▶ waiting ──▶ window (being prepared) ──▶ settled: rows, or dead letters

A message is settled by the transaction that moves the partition's row past it (`store/repositories/
stream.py`). Before each it is asked whether the topic is still the one whose messages these are.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import structlog

from mediamill.adapters.stream.port import Message, Part, Stream
from mediamill.core.errors import (
    ConditionFailed,
    Conflict,
    LimitExceeded,
    QuotaExceeded,
)
from mediamill.services.stream.filing import Filing, Prepared, about, letter, pause
from mediamill.services.stream.jobs import OnArrival
from mediamill.services.stream.rules import TopicRule
from mediamill.services.uploads.recording import drawing
from mediamill.store.repositories.files import File
from mediamill.store.repositories.stream import StreamBooks, StreamPartition, step, stepped

log = structlog.get_logger(__name__)

WINDOW = 48
"""Messages of a partition that are prepared or wait to be settled."""
BATCH = 32
"""Messages that are settled at a time."""
MOST_ACTIONS = 90
"""Of one transaction; the store takes a hundred."""


class Stale(Exception):
    """The partition is another's by now, or its topic is gone: nothing more is to be done here."""


@dataclass
class Feed:
    """A partition that is ours."""

    part: Part
    rule: TopicRule
    row: StreamPartition
    stream: Stream
    filing: Filing
    books: StreamBooks
    arriving: OnArrival
    stale: bool = False
    _waiting: deque[Message] = field(default_factory=deque)
    _window: deque["asyncio.Task[Prepared]"] = field(default_factory=deque)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _draining: bool = False
    _buried: int = 0
    """Dead letters before this offset are written."""
    _running: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        """Begin to settle what comes."""
        self._running = asyncio.ensure_future(self._run())

    def take(self, message: Message) -> None:
        """Take a message; it is prepared as soon as there is room in the window."""
        if not self._draining and not self.stale:
            self._waiting.append(message)
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
        tasks = [task for task in (self._running, *self._window) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._window) < WINDOW:
            message = self._waiting.popleft()
            self._window.append(asyncio.ensure_future(self._prepare(message)))
        self._more.set()

    async def _prepare(self, message: Message) -> Prepared:
        if message.offset < self.row.next:
            return Prepared(message)  # it was settled before
        return await self.filing.prepare(message, self.rule)

    # -- settling -------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                batch = await self._batch()
                if not batch:
                    return
                await self._settled(batch)
                for one in batch:
                    self._window.popleft()
                    self.stream.release(one.message)
                self._fill()
        except Stale:
            self.stale = True
            log.info("partition left", action="partition_left", topic=self.part.topic,
                     partition=self.part.number)  # fmt: skip

    async def _batch(self) -> Sequence[Prepared]:
        """Wait for the first message to be prepared, and return it with those ready behind it.

        Nothing once all is drained.
        """
        while not self._window:
            if self._draining:
                return ()
            self._more.clear()
            await self._more.wait()
        await asyncio.wait([self._window[0]])
        batch: list[Prepared] = []
        for task in self._window:
            if not task.done() or len(batch) >= BATCH:
                break
            batch.append(task.result())
        return batch

    async def _settled(self, batch: Sequence[Prepared]) -> None:
        """Settle messages, however often that has to be tried; raises `Stale`."""
        tries = 0
        while True:
            try:
                await self._settle(batch)
            except Stale:
                raise
            except Exception as error:
                tries += 1
                log.warning("settled later", action="settle_failed", topic=self.part.topic,
                            partition=self.part.number, exc_info=error)  # fmt: skip
                await asyncio.sleep(pause(tries))
            else:
                return

    async def _settle(self, batch: Sequence[Prepared]) -> None:
        if not await self.stream.confirm(self.part):
            raise Stale
        for new, some in groupby(batch, lambda one: one.message.offset >= self.row.next):
            if new:
                await self._settle_new(list(some))

    async def _settle_new(self, batch: Sequence[Prepared]) -> None:
        """Settle messages in runs: one customer's files, or dead letters."""
        for owner, some in groupby(batch, lambda one: one.file and one.file.owner):
            run = [one for one in some if one.message.offset >= self.row.next]
            for part in _portions(run) if owner else (run,):
                await (self._keep if owner else self._bury)(part)

    async def _keep(self, run: Sequence[Prepared]) -> None:
        """Write files and the step past them; those that a quota forbids become letters."""
        if not run:
            return
        files = [one.file for one in run if one.file is not None]
        until = run[-1].message.offset + 1
        units, also = await self.arriving.units(files, self.rule, self.part.topic)
        units = [*units, *(unit for file in files for unit in drawing(file))]
        guard = step(self.row, until, files=len(files))
        try:
            await self.filing.rows.insert_all(files, units, guard, *also)
        except QuotaExceeded as error:
            await self._keep_some(run, error)
            return
        except ConditionFailed:
            if not await self._was_ours(files[0]):
                await self._look_again(run)
                return
        self.row = stepped(self.row, until, files=len(files))
        log.info("files arrived", action="files_arrived", count=len(files),
                 **about(run[-1].message), owner=files[0].owner)  # fmt: skip

    async def _keep_some(self, run: Sequence[Prepared], error: QuotaExceeded) -> None:
        """Take one by one what does not fit together."""
        if len(run) > 1:
            for one in run:
                await self._keep([one])
            return
        await self.filing.discard(run[0])
        await self._bury([Prepared(run[0].message, error=error)])

    async def _was_ours(self, file: File) -> bool:
        """Tell whether a step that failed had been made before, by an answer that was lost."""
        return await self.books.store.get(File, file.id) is not None

    async def _look_again(self, run: Sequence[Prepared]) -> None:
        """Read how far others have come; raises `Conflict`, so that the rest is tried again."""
        self.row = await self.books.open(self.part.source, self.part.number, self.part.topic)
        for one in run:
            if one.message.offset < self.row.next:
                await self.filing.discard(one)
        raise Conflict("Another process has taken these messages.")

    async def _bury(self, run: Sequence[Prepared]) -> None:
        """Write dead letters with the offset past them, then the step."""
        if not run:
            return
        until = run[-1].message.offset + 1
        if until > self._buried:  # else only the step failed when this was tried before
            try:
                await self._write_letters(run, until)
            except Conflict as error:
                raise Stale from error
            self._buried = until
            for one in run:
                code = one.error.code if one.error else ""
                log.info("dead letter", action="dead_letter", code=code, **about(one.message))
        try:
            await self.books.store.transact(step(self.row, until, letters=len(run)))
        except ConditionFailed:
            await self._look_again(run)
        self.row = stepped(self.row, until, letters=len(run))

    async def _write_letters(self, run: Sequence[Prepared], until: int) -> None:
        topic = self.rule.dead_letters
        letters = [letter(self.part, one, topic) for one in run]
        try:
            await self.stream.bury(self.part, letters, until)
        except LimitExceeded:
            letters = [letter(self.part, one, topic, whole=False) for one in run]
            await self.stream.bury(self.part, letters, until)


def _portions(run: Sequence[Prepared]) -> Sequence[Sequence[Prepared]]:
    """Cut a run so that the rows of each part fit in a transaction."""
    portions: list[list[Prepared]] = [[]]
    actions = 0
    for one in run:
        more = 3 + len(one.file.tags if one.file else ())
        if portions[-1] and actions + more > MOST_ACTIONS:
            portions.append([])
            actions = 0
        portions[-1].append(one)
        actions += more
    return portions
