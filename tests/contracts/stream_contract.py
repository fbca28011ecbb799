"""What every stream does; a backend's test class inherits it and gives a `desk`.

A desk makes topics, members and publishers, and looks at what is written; `settled` is what a group
has committed of a topic.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from mediamill.adapters.stream.port import Message, Outgoing, Part, Publisher, Stream
from mediamill.core.errors import Conflict, LimitExceeded

SECONDS = 40.0
"""How long may take what must come."""


class Desk(Protocol):
    def make(self, topic: str, partitions: int = 1, most: int = 1 << 20) -> None: ...
    def delete(self, topic: str) -> None: ...
    def write(self, topic: str, values: Sequence[bytes], partition: int = 0) -> None: ...
    def read(self, topic: str) -> list[tuple[bytes | None, bytes | None, list]]: ...
    def settled(self, topic: str, group: str) -> int: ...
    def stream(self, topics: Sequence[str], group: str, room: int = 1 << 26) -> Stream: ...
    def publisher(self) -> Publisher: ...


class Keeper:
    """Takes messages, and keeps its own books as a taker must."""

    def __init__(self, books: dict[Part, int] | None = None) -> None:
        self.books = {} if books is None else books
        self.taken: list[Message] = []
        self.parts: list[Part] = []
        self.drained = 0

    async def begin(self, parts: Sequence[Part]) -> Mapping[Part, int]:
        self.parts = [*parts]
        return {part: self.books.get(part, 0) for part in parts}

    def take(self, messages: Sequence[Message]) -> None:
        self.taken += messages

    async def drain(self, parts: Sequence[Part]) -> Mapping[Part, int]:
        self.drained += 1
        return {part: self.books[part] for part in parts if part in self.books}

    def drop(self, parts: Sequence[Part]) -> None:
        self.parts = [part for part in self.parts if part not in parts]

    def settle(self) -> None:
        """Note all that was taken as settled."""
        for message in self.taken:
            self.books[message.part] = message.offset + 1


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(stream: Stream, taker: Keeper):
    stop = asyncio.Event()
    running = asyncio.ensure_future(stream.run(taker, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, SECONDS)


def values(taker: Keeper) -> list[bytes | None]:
    return [message.value for message in taker.taken]


def others(taker: Keeper, part: Part) -> list[Message]:
    return [message for message in taker.taken if message.part.source != part.source]


class StreamContract:
    @pytest.fixture
    def desk(self) -> Desk:
        raise NotImplementedError

    @pytest.fixture
    def topic(self, desk: Desk) -> str:
        name = f"images-{uuid.uuid4().hex[:8]}"
        desk.make(name)
        return name

    @pytest.fixture
    def group(self) -> str:
        return f"group-{uuid.uuid4().hex[:8]}"

    async def test_messages_come_in_order_and_again_until_they_are_settled(
        self, desk: Desk, topic: str, group: str
    ):
        desk.write(topic, [b"%d" % n for n in range(5)])
        stream, first = desk.stream([topic], group), Keeper()
        async with reading(stream, first):
            await until(lambda: len(first.taken) == 5)
            (part,) = first.parts
            assert await stream.behind(part) == 5
        assert values(first) == [b"0", b"1", b"2", b"3", b"4"]
        assert [message.offset for message in first.taken] == [*range(5)]
        assert first.taken[0].time > 1_700_000_000_000
        assert (part.topic, part.number) == (topic, 0)
        again = Keeper()
        async with reading(desk.stream([topic], group), again):
            await until(lambda: len(again.taken) == 5)
            again.books[part] = 3
        assert again.drained  # what is settled is asked for at the end
        assert desk.settled(topic, group) == 3
        last = Keeper()
        async with reading(desk.stream([topic], group), last):
            await until(lambda: len(last.taken) == 2)
        assert values(last) == [b"3", b"4"]

    async def test_the_takers_books_count_for_more_than_the_groups(
        self, desk: Desk, topic: str, group: str
    ):
        desk.write(topic, [b"%d" % n for n in range(5)])
        (known,) = (await desk.publisher().identify([topic])).values()
        part = Part(known.cluster, topic, known.id, 0)
        taker = Keeper({part: 4})
        async with reading(desk.stream([topic], group), taker):
            await until(lambda: bool(taker.taken))
        assert values(taker) == [b"4"]

    async def test_members_share_partitions_and_take_over_what_is_left(
        self, desk: Desk, group: str
    ):
        topic = f"images-{uuid.uuid4().hex[:8]}"
        desk.make(topic, 2)
        one, two = Keeper(), Keeper()
        async with reading(desk.stream([topic], group), one):
            await until(lambda: len(one.parts) == 2)
            async with reading(desk.stream([topic], group), two):
                await until(lambda: len(one.parts) == len(two.parts) == 1)
                assert one.drained
                for number in range(2):
                    desk.write(topic, [b"%d" % number], number)
                await until(lambda: len(one.taken) == len(two.taken) == 1)
                two.settle()
            await until(lambda: len(one.parts) == 2)
            one.settle()
            desk.write(topic, [b"more"], two.taken[0].part.number)
            await until(lambda: b"more" in values(one))
        come = Counter(values(one) + values(two))
        assert come[b"more"] == 1
        assert {b"0", b"1"} <= come.keys()
        assert come[two.taken[0].value] == 1  # it was settled when it was handed over

    async def test_a_topic_made_anew_is_another_one(self, desk: Desk, topic: str, group: str):
        desk.write(topic, [b"old"] * 3)
        stream, taker = desk.stream([topic], group), Keeper()
        async with reading(stream, taker):
            await until(lambda: len(taker.taken) == 3)
            taker.settle()
            stream.commit(taker.books)
            (old,) = taker.parts
            assert await stream.confirm(old)
            desk.delete(topic)
            desk.make(topic)
            desk.write(topic, [b"new"] * 2)
            assert not await stream.confirm(old)
            await until(lambda: len(others(taker, old)) == 2)  # also as the old one's before that
            (new,) = taker.parts
            assert [message.value for message in others(taker, old)] == [b"new"] * 2
            assert new.topic == old.topic
            assert await stream.confirm(new)

    async def test_letters_are_written_with_the_offset_behind_them(
        self, desk: Desk, topic: str, group: str
    ):
        letters = f"{topic}.dead"
        desk.make(letters)
        desk.write(topic, [b"one", b"two"])
        stream, taker = desk.stream([topic], group), Keeper()
        letter = Outgoing(letters, b"one", b"key", (("a", b"\x00"), ("a", None)))
        async with reading(stream, taker):
            await until(lambda: len(taker.taken) == 2)
            (part,) = taker.parts
            stream.commit({part: 1})
            await stream.bury(part, [letter], 2)
            assert desk.settled(topic, group) == 2
            taker.books[part] = 1  # it was written, and the books do not know it yet
            stream.commit(taker.books)
        assert taker.drained
        assert desk.settled(topic, group) == 2
        again = Keeper({part: 1})
        async with reading(desk.stream([topic], group), again):
            await until(lambda: again.parts == [part])
            stream.commit(again.books)
        assert not again.taken
        assert desk.settled(topic, group) == 2
        assert desk.read(letters) == [(b"one", b"key", [("a", b"\x00"), ("a", None)])]
        with pytest.raises(Conflict):
            await stream.bury(part, [letter], 3)  # it is nobody's now
        assert len(desk.read(letters)) == 1

    async def test_what_is_held_is_bounded(self, desk: Desk, topic: str, group: str):
        desk.write(topic, [b"x" * 10_000] * 100)
        stream, taker, count = desk.stream([topic], group, 200_000), Keeper(), 0
        async with reading(stream, taker):
            await until(lambda: len(taker.taken) >= 19)
            await asyncio.sleep(1)
            assert len(taker.taken) <= 21
            while count < 100:
                await until(lambda: bool(taker.taken))
                some, taker.taken = taker.taken, []
                assert len(some) <= 21
                count += len(some)
                stream.release(some)
        assert count == 100

    async def test_a_publisher_makes_and_tells_topics(self, desk: Desk, topic: str):
        publisher, fresh = desk.publisher(), f"{topic}.fresh"
        assert (await publisher.identify([topic, fresh])).keys() == {topic}
        await publisher.require([topic, fresh])
        await publisher.require([topic, fresh])
        found = await publisher.identify([topic, fresh])
        assert found[topic].cluster == found[fresh].cluster != ""
        assert found[topic].id != found[fresh].id
        await publisher.publish([Outgoing(fresh, b"value"), Outgoing(fresh, None, b"key")])
        assert Counter(one[:2] for one in desk.read(fresh)) == {
            (b"value", None): 1,
            (None, b"key"): 1,
        }
        desk.make(f"{topic}.small", 1, 1000)
        with pytest.raises(LimitExceeded):
            await publisher.publish([Outgoing(f"{topic}.small", b"x" * 5000)])
        await publisher.close()

    async def test_a_stretch_of_a_partition_is_read_without_a_group(self, desk: Desk, topic: str):
        publisher = desk.publisher()
        desk.write(topic, [b"%d" % n for n in range(6)])
        found = (await publisher.identify([topic]))[topic]
        part, values = Part(found.cluster, topic, found.id, 0), []
        while some := await publisher.between(part, len(values) or None, 5):
            assert all(message.part == part for message in some)
            values += [message.value for message in some]
        assert values == [b"0", b"1", b"2", b"3", b"4"]
        assert [one.offset for one in await publisher.between(part, 3, 4)] == [3]
        assert await publisher.between(part, 6, 6) == []
        await publisher.close()
