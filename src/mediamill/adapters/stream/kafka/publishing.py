"""Write messages: results, and what `mediamill produce` sends."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from confluent_kafka import KafkaError, Message, Producer

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.asking import Administrator
from mediamill.adapters.stream.kafka.between import Stretches
from mediamill.adapters.stream.kafka.clients import judged, producer, told
from mediamill.adapters.stream.kafka.login import Login
from mediamill.adapters.stream.port import Message as Read
from mediamill.adapters.stream.port import Outgoing, Part, Topic
from mediamill.core.errors import MediamillError, Unavailable
from mediamill.core.sourced import Sourced

A = TypeVar("A")
T = TypeVar("T")

WRITE_SECONDS = 30.0
AT_ONCE = 64 << 20
"""Bytes that are handed to the library before it is waited for."""


class KafkaPublisher:
    """A producer; its calls block, so they run in a thread of its own."""

    def __init__(self, address: Address) -> None:
        self._login = Login(address)
        self._thread = ThreadPoolExecutor(1, "kafka-writing")
        self._producer: Producer | None = None
        self._made_for: Address | None = None
        self._admin: Administrator | None = None
        self._stretches: Stretches | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Write messages and wait until all are acknowledged by all replicas."""
        await self._asked(self._publish, messages)

    def follow(self, url: Sourced) -> None:
        self._login.follow(url)

    async def require(self, topics: Sequence[str]) -> None:
        await self._asked(self._require, list(topics))

    async def identify(self, topics: Sequence[str]) -> Mapping[str, Topic]:
        return await self._asked(self._identify, list(topics))

    async def between(self, part: Part, first: int | None, until: int) -> Sequence[Read]:
        return await self._asked(self._read, (part, first, until))

    async def close(self) -> None:
        if self._producer is not None:
            self._producer.purge()  # what nobody waits for any more
        if self._admin is not None:
            self._admin.closed = True
        if self._stretches is not None:
            self._thread.submit(self._stretches.close)
        self._thread.shutdown(wait=False)

    async def _asked(self, work: Callable[[A], T], asked: A) -> T:
        """Do something in the thread, once more if we were refused and are somebody else by now."""
        loop = asyncio.get_running_loop()
        await self._login.renew()
        try:
            return await loop.run_in_executor(self._thread, work, asked)
        except MediamillError:
            if not (self._login.refused and await self._login.renew()):
                raise
        return await loop.run_in_executor(self._thread, work, asked)

    def _require(self, topics: list[str]) -> None:
        self._administrator().make(topics)

    def _identify(self, topics: list[str]) -> dict[str, Topic]:
        admin = self._administrator()
        found = admin.ids(topics)  # first: it tells at once when we are refused
        cluster = admin.cluster()
        return {name: Topic(cluster, topic) for name, topic in found.items()}

    def _read(self, asked: tuple[Part, int | None, int]) -> Sequence[Read]:
        if self._stretches is None or not self._stretches.fits(self._login):
            self._stretches = Stretches(self._login)
        return self._stretches.read(*asked)

    def _administrator(self) -> Administrator:
        if self._admin is None or self._admin.stale:
            self._admin = Administrator(self._login)
        return self._admin

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        if self._producer is None or self._made_for is not self._login.address:
            self._made_for = self._login.address
            milliseconds = int(WRITE_SECONDS * 1000)
            self._producer = producer(self._login, **{"message.timeout.ms": milliseconds})
        write(self._producer, messages)


def write(writer: Producer, messages: Sequence[Outgoing]) -> None:
    """Hand messages to a producer and wait for their acknowledgement; raises the first failure.

    Its `details["refused"]` are the places of all that failed.
    """
    failures: dict[int, MediamillError] = {}

    def done(place: int, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures[place] = judged(error)

    waiting = 0
    with told():
        for place, one in enumerate(messages):
            headers: list[tuple[str, str | bytes | None]] = list(one.headers)
            told_of = partial(done, place)
            writer.produce(one.topic, one.value, one.key, headers=headers, on_delivery=told_of)
            waiting += len(one.value or b"")
            if waiting >= AT_ONCE:
                writer.flush(WRITE_SECONDS)
                waiting = 0
        left = writer.flush(WRITE_SECONDS)
    if failures:
        refused = sorted(failures)
        failures[refused[0]].details["refused"] = refused
        raise failures[refused[0]]
    if left:
        raise Unavailable(f"Kafka: {left} messages were not acknowledged in time.")
