"""Take files in from a stream, until told to stop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

import structlog

from mediamill.adapters.stream.port import Message, Part, Publisher, Stream
from mediamill.core.errors import MediamillError
from mediamill.services.stream.feeding import Feed
from mediamill.services.stream.filing import Filing
from mediamill.services.stream.rules import Rules
from mediamill.services.stream.settling import Settling
from mediamill.services.stream.wanting import Wanting
from mediamill.store.repositories.stream import StreamBooks, StreamPartition

log = structlog.get_logger(__name__)

COMMIT_SECONDS = 1.0
NOTE_SECONDS = 10.0
"""How often it is written down how far each partition is behind."""


@dataclass
class Ingest:
    """Hands each partition's messages to its feed, and commits what they have settled."""

    rules: Rules
    stream: Stream
    publisher: Publisher
    filing: Filing
    books: StreamBooks
    wanting: Wanting
    _feeds: dict[Part, Feed] = field(default_factory=dict)
    _stopping: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Take messages until `stop`, then finish what was begun; raises `ConfigurationError`."""
        await self._prepare_topics(stop)
        ticking = [
            asyncio.ensure_future(_each(COMMIT_SECONDS, self._commit)),
            asyncio.ensure_future(_each(NOTE_SECONDS, self._note)),
        ]
        try:
            await self.stream.run(self, stop)
        finally:
            for task in ticking:
                task.cancel()
            await self._end(list(self._feeds.values()))
            await asyncio.gather(*ticking, *self._stopping, return_exceptions=True)

    async def _prepare_topics(self, stop: asyncio.Event) -> None:
        """See to it that there is somewhere to write to, before anything is taken."""
        wanted = {rule.dead_letters for rule in self.rules.values()}
        wanted |= {rule.results for rule in self.rules.values() if rule.results}
        while not stop.is_set():
            try:
                await self.publisher.require(sorted(wanted))
                async for text in self.wanting.of(self.rules, self.publisher):
                    log.warning(text, action="stream_wanting")
            except MediamillError as error:
                if not error.retryable:
                    raise
                log.warning("stream away", action="stream_away", error=error.message)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 2)
            else:
                return

    # -- what the stream asks -------------------------------------------------------------------

    async def begin(self, parts: Sequence[Part]) -> Mapping[Part, int]:
        """Begin a feed for each partition; return where each is to go on."""
        await self._end(list(self._feeds.values()))
        rows = {part: await self.books.open(part.source, part.number, part.topic) for part in parts}
        self._feeds = {part: self._feed(part, row) for part, row in rows.items()}
        for feed in self._feeds.values():
            feed.start()
        return {part: row.next for part, row in rows.items()}

    def _feed(self, part: Part, row: StreamPartition) -> Feed:
        rule = self.rules[part.topic]
        settling = Settling(part, rule, row, self.stream, self.filing, self.books)
        return Feed(settling, self.stream)

    def take(self, messages: Sequence[Message]) -> None:
        """Hand messages to their feeds."""
        for part, some in groupby(messages, lambda message: message.part):
            if (feed := self._feeds.get(part)) is not None:
                feed.take([*some])

    async def drain(self, parts: Sequence[Part]) -> Mapping[Part, int]:
        """Let feeds finish; return how far each came."""
        feeds = [self._feeds[part] for part in parts if part in self._feeds]
        await asyncio.gather(*(feed.drain() for feed in feeds))
        return {feed.part: feed.settled for feed in feeds if feed.settled and not feed.stale}

    def drop(self, parts: Sequence[Part]) -> None:
        """Stop feeds at once."""
        for feed in [self._feeds.pop(part) for part in parts if part in self._feeds]:
            task = asyncio.ensure_future(feed.stop())
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    # -- now and then -----------------------------------------------------------------------------

    async def _commit(self) -> None:
        feeds = [one for one in self._feeds.values() if not one.stale and one.settled]
        if feeds:
            self.stream.commit({feed.part: feed.settled for feed in feeds})

    async def _note(self) -> None:
        now = await self.books.store.now()
        for feed in list(self._feeds.values()):
            await self.books.note(feed.settling.row, await self.stream.behind(feed.part), now)

    async def _end(self, feeds: Sequence[Feed]) -> None:
        await asyncio.gather(*(feed.stop() for feed in feeds))


async def _each(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do something again and again; what fails is done the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:
            log.warning("later", action="tick_failed", error=str(error))
