"""Take messages that came another way than by a consumer, such as in an event.

Whoever brings them keeps the offsets, in order within each partition, and brings the same ones
again when this raises. The rules, the books and so the files are those of a consumer: what is
settled is passed over, whoever settled it. Dead letters are written plainly, before the books: when
this dies between the two they come a second time.

An event does not say which topic of a name its messages are of. Stop what brings them before a
topic is deleted and made anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from mediamill.adapters.stream.port import Message, Outgoing, Part, Publisher
from mediamill.core.errors import NotFound, Unavailable
from mediamill.services.stream.filing import Filing, portions
from mediamill.services.stream.rules import SETTING, Rules
from mediamill.services.stream.settling import Settling, Stale
from mediamill.store.repositories.stream import StreamBooks


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
        new = [message for message in messages if message.offset >= row.next]
        for some in portions(new):
            try:
                await settling.settle(await self.filing.prepare(some, rule))
            except Stale:
                raise Unavailable(f"The topic {part.topic} is another one by now.") from None


@dataclass
class _Brought:
    """Where such messages come from, as far as settling asks."""

    publisher: Publisher

    async def confirm(self, part: Part) -> bool:
        found = (await self.publisher.identify([part.topic])).get(part.topic)
        return found is not None and found.id == part.topic_id

    async def bury(self, part: Part, messages: Sequence[Outgoing], settled: int) -> None:
        await self.publisher.publish(messages)


def _number(message: Message) -> tuple[str, int]:
    return message.part.topic, message.part.number


def _place(message: Message) -> tuple[str, int, int]:
    return (*_number(message), message.offset)
