"""A stream in memory, as a backend of other people would be: `memory://NAME?group=…`.

It keeps what the port promises, by the contract that the real one is judged by too; what dies with
a process, and how a broker answers, only the real one can show.
"""

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from urllib.parse import parse_qs, urlsplit
from weakref import WeakValueDictionary

from mediamill.adapters.stream.opening import STREAMS
from mediamill.adapters.stream.port import Message, Outgoing, Part, Taker, Topic
from mediamill.core.errors import Conflict, LimitExceeded

BIGGEST = 20 << 20
ROOM = 64 << 20
TICK = 0.005


@dataclass
class Log:
    """A topic."""

    partitions: list[list[Message]]
    most: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class Group:
    """Who reads together, and how far all is settled, by the id of the topic and the partition."""

    members: list["MemoryStream"] = field(default_factory=list)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def share_out(self) -> None:
        """Take all partitions from everybody, and give them out anew."""
        async with self.turn:
            for member in self.members:
                await member.give_up()
            for place, member in enumerate(self.members):
                await member.take_over(place, len(self.members))


class MemoryBroker:
    """Topics and groups."""

    def __init__(self) -> None:
        self.name, self.cluster = f"b{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
        self.topics: dict[str, Log] = {}
        self.groups: dict[str, Group] = {}
        BROKERS[self.name] = self

    def url(self, **options: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"memory://{self.name}?{query}"

    def make(self, topic: str, partitions: int = 3, most: int = BIGGEST) -> None:
        """Make a topic, another one than there was of this name."""
        self.topics[topic] = Log([[] for _ in range(partitions)], most)

    def delete(self, topic: str) -> None:
        del self.topics[topic]

    def write(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes | None]] = (),
        partition: int | None = None,
    ) -> Message:
        log = self.topics[topic]
        if len(value or b"") > log.most:
            raise LimitExceeded("memory: the message is larger than its topic takes.")
        sizes = [len(one) for one in log.partitions]
        number = sizes.index(min(sizes)) if partition is None else partition
        part = Part(self.cluster, topic, log.id, number)
        now = time.time_ns() // 1_000_000
        message = Message(part, sizes[number], key, value, tuple(headers), now)
        log.partitions[number].append(message)
        return message

    def read(self, topic: str) -> list[Message]:
        log = self.topics.get(topic)
        return [message for part in log.partitions for message in part] if log else []

    def lag(self, topic: str, group: str = "mediamill") -> int:
        log, offsets = self.topics[topic], self.group(group).offsets
        return sum(len(one) - offsets.get((log.id, n), 0) for n, one in enumerate(log.partitions))

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())


BROKERS: "WeakValueDictionary[str, MemoryBroker]" = WeakValueDictionary()


class MemoryPublisher:
    """Writes to the broker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        for one in messages:
            self._broker.write(one.topic, one.value, one.key, one.headers)

    async def require(self, topics: Sequence[str]) -> None:
        for topic in topics:
            if topic not in self._broker.topics:
                self._broker.make(topic, 1)

    async def identify(self, topics: Sequence[str]) -> Mapping[str, Topic]:
        there = self._broker.topics
        return {
            name: Topic(self._broker.cluster, there[name].id) for name in topics if name in there
        }

    async def between(self, part: Part, first: int | None, until: int) -> Sequence[Message]:
        there = self._broker.topics[part.topic].partitions[part.number]
        return [one for one in there if (first or 0) <= one.offset < until][:2]

    async def close(self) -> None:
        return


class MemoryStream:
    """A member of a group."""

    def __init__(
        self, broker: MemoryBroker, topics: Sequence[str], group: str, room: int = ROOM
    ) -> None:
        self._broker, self._topics, self._group = broker, topics, broker.group(group)
        self._most = room
        self._next: dict[Part, int] = {}
        """The partitions that are ours, and which message of each is the next."""
        self._held: dict[Part, int] = {}
        self._changed = False
        self._taker: Taker

    async def run(self, taker: Taker, stop: asyncio.Event) -> None:
        self._taker = taker
        self._group.members.append(self)
        await self._group.share_out()
        while not stop.is_set():
            if self._changed:
                self._changed = False
                await self._group.share_out()
            async with self._group.turn:
                self._hand_over()
            await asyncio.sleep(TICK)
        async with self._group.turn:
            await self.give_up()
            self._group.members.remove(self)
        await self._group.share_out()

    def _hand_over(self) -> None:
        for part, at in self._next.items():
            log = self._broker.topics.get(part.topic)
            if log is None or log.id != part.topic_id:
                self._changed = True
                continue
            some = []
            for message in log.partitions[part.number][at:]:
                if self._held[part] >= self._most // len(self._next):
                    break
                self._held[part] += message.size
                some.append(message)
            self._next[part] += len(some)
            if some:
                self._taker.take(some)

    async def give_up(self) -> None:
        """Let the taker finish."""
        parts = [*self._next]
        self.commit(await self._taker.drain(parts))
        self._next = {}
        self._taker.drop(parts)

    async def take_over(self, place: int, members: int) -> None:
        """Take every so manieth partition."""
        found = [
            Part(self._broker.cluster, topic, self._broker.topics[topic].id, number)
            for topic in self._topics
            if topic in self._broker.topics
            for number in range(len(self._broker.topics[topic].partitions))
        ]
        mine = found[place::members]
        firsts = await self._taker.begin(mine)
        known = self._group.offsets
        self._next = {
            part: max(firsts[part], known.get((part.topic_id, part.number), 0)) for part in mine
        }
        self._held = dict.fromkeys(mine, 0)

    def release(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.part in self._held:
                self._held[message.part] -= message.size

    async def confirm(self, part: Part) -> bool:
        log = self._broker.topics.get(part.topic)
        same = log is not None and log.id == part.topic_id
        self._changed = self._changed or not same
        return same

    def commit(self, offsets: Mapping[Part, int]) -> None:
        for part, at in offsets.items():
            if part in self._next:
                place = part.topic_id, part.number
                self._group.offsets[place] = max(at, self._group.offsets.get(place, 0))

    async def bury(self, part: Part, messages: Sequence[Outgoing], settled: int) -> None:
        if part not in self._next:
            raise Conflict("memory: this partition is another process's now.")
        for one in messages:
            if _size(one) > self._broker.topics[one.topic].most:
                raise LimitExceeded("memory: the message is larger than its topic takes.")
        await MemoryPublisher(self._broker).publish(messages)
        self.commit({part: settled})

    async def behind(self, part: Part) -> int | None:
        log = self._broker.topics.get(part.topic)
        return len(log.partitions[part.number]) if log and log.id == part.topic_id else None


def _size(message: Outgoing) -> int:
    return sum(
        len(part or b"") for part in (message.value, message.key, *dict(message.headers).values())
    )


class Memory:
    """Opens both ways."""

    @classmethod
    def open_stream(cls, url: str, topics: Sequence[str]) -> MemoryStream:
        parts = urlsplit(url)
        group = parse_qs(parts.query).get("group", ["mediamill"])[-1]
        return MemoryStream(BROKERS[parts.netloc], topics, group)

    @classmethod
    def open_publisher(cls, url: str) -> MemoryPublisher:
        return MemoryPublisher(BROKERS[urlsplit(url).netloc])


STREAMS._places["memory"] = EntryPoint("memory", f"{__name__}:Memory", "mediamill.stream")
