"""Take messages that came another way than by a consumer, such as in an event.

Whoever brings them keeps the offsets, in order within each partition, and brings the same ones
again when this raises. The rules, the books and so the files are those of a consumer: what is
settled is passed over, whoever settled it. What was left out between them, as one that is too large
for an event, is read from the brokers: nothing is stepped over but what is not there any more.
Dead letters are written plainly, before the books: when
this dies between the two they come a second time.

An event does not say which topic of a name its messages are of. Stop what brings them before a
topic is deleted and made anew.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import structlog

from mediamill.adapters.stream.port import Message, Outgoing, Part, Publisher
from mediamill.core.errors import NotFound, Unavailable
from mediamill.services.stream.filing import Filing, about, portions
from mediamill.services.stream.rules import SETTING, Rules
from mediamill.services.stream.settling import Settling, Stale
from mediamill.store.repositories.stream import StreamBooks

log = structlog.get_logger(__name__)


@dataclass
class Handed:
    """Settles messages that are handed over."""

    rules: Rules
    publisher: Publisher
    filing: Filing
    books: StreamBooks

    async def batch(self, messages: Sequence[Message]) -> None:
        """Settle messages, in order of their offsets; all that this returns from is settled.

        Ids of cluster and topic are looked up: a message's part needs its topic and number only.
        Raises `NotFound` for a topic without a rule or that is not there, `ConfigurationError`,
        and `Unavailable` when all must come again; what was settled meanwhile is then passed over.
        What is away is waited for: bound the time with `asyncio.timeout`. Being cancelled is
        harmless.
        """
        wanted = sorted({message.part.topic for message in messages})
        for topic in wanted:
            if topic not in self.rules:
                raise NotFound(f"{SETTING} has no rule for the topic {topic}.")
        await self.publisher.require(sorted({self.rules[topic].dead_letters for topic in wanted}))
        ids = await self.publisher.identify(wanted)
        if missing := [topic for topic in wanted if topic not in ids]:
            raise NotFound(f"There is no topic {missing[0]}.")
        for place, some in groupby(sorted(messages, key=_place), _number):
            part = Part(ids[place[0]].cluster, place[0], ids[place[0]].id, place[1])
            await self._settle(part, [replace(message, part=part) for message in some])

    async def _settle(self, part: Part, messages: Sequence[Message]) -> None:
        rule = self.rules[part.topic]
        row = await self.books.open(part.source, part.number, part.topic)
        origin = _Brought(self.publisher)
        settling = Settling(part, rule, row, origin, self.filing, self.books)
        async for run in self._without_gaps(part, row.next, messages):
            for some in portions(run):
                try:
                    await settling.settle(await self.filing.prepare(some, rule))
                except Stale:
                    raise Unavailable(f"The topic {part.topic} is another one by now.") from None

    async def _without_gaps(
        self, part: Part, start: int, messages: Sequence[Message]
    ) -> AsyncIterator[Sequence[Message]]:
        """Hand on messages from an offset on, and what was left out before and between them."""
        at = start
        for run in _runs(message for message in messages if message.offset >= start):
            while at < run[0].offset:
                left_out = await self.publisher.between(part, at or None, run[0].offset)
                if not left_out:
                    break
                log.info("messages were left out of an event", action="messages_left_out",
                         count=len(left_out), **about(left_out[0]))  # fmt: skip
                yield left_out
                at = left_out[-1].offset + 1
            yield run
            at = run[-1].offset + 1


@dataclass
class _Brought:
    """Where such messages come from, as far as settling asks."""

    publisher: Publisher

    async def confirm(self, part: Part) -> bool:
        found = (await self.publisher.identify([part.topic])).get(part.topic)
        return found is not None and found.id == part.topic_id

    async def bury(self, part: Part, messages: Sequence[Outgoing], settled: int) -> None:
        await self.publisher.publish(messages)


def _runs(messages: Iterable[Message]) -> Iterator[Sequence[Message]]:
    """Cut messages, in order, into such as stand behind each other."""
    numbered = enumerate(messages)
    for _, run in groupby(numbered, lambda pair: pair[1].offset - pair[0]):
        yield [message for _, message in run]


def _number(message: Message) -> tuple[str, int]:
    return message.part.topic, message.part.number


def _place(message: Message) -> tuple[str, int, int]:
    return (*_number(message), message.offset)
