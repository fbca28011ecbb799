"""Write messages: results, and what `mediamill produce` sends."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaError, Message, Producer

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.asking import Administrator
from mediamill.adapters.stream.kafka.clients import judged, producer, told
from mediamill.adapters.stream.port import Outgoing, Topic
from mediamill.core.errors import MediamillError, Unavailable

WRITE_SECONDS = 30.0
AT_ONCE = 64 << 20
"""Bytes that are handed to the library before it is waited for."""


class KafkaPublisher:
    """A producer; its calls block, so they run in a thread of its own."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._thread = ThreadPoolExecutor(1, "kafka-writing")
        self._producer: Producer | None = None
        self._admin: Administrator | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Write messages and wait until all are acknowledged by all replicas."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._publish, messages)

    async def require(self, topics: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._require, list(topics))

    async def identify(self, topics: Sequence[str]) -> Mapping[str, Topic]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._identify, list(topics))

    async def close(self) -> None:
        self._thread.shutdown(wait=False)

    def _require(self, topics: list[str]) -> None:
        self._administrator().make(topics)

    def _identify(self, topics: list[str]) -> dict[str, Topic]:
        admin = self._administrator()
        cluster = admin.cluster()
        return {name: Topic(cluster, topic) for name, topic in admin.ids(topics).items()}

    def _administrator(self) -> Administrator:
        if self._admin is None:
            self._admin = Administrator(self._address)
        return self._admin

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        if self._producer is None:
            milliseconds = int(WRITE_SECONDS * 1000)
            self._producer = producer(self._address, **{"message.timeout.ms": milliseconds})
        write(self._producer, messages)


def write(writer: Producer, messages: Sequence[Outgoing]) -> None:
    """Hand messages to a producer and wait for their acknowledgement; raises the first failure."""
    failures: list[MediamillError] = []

    def done(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(judged(error))

    waiting = 0
    with told():
        for one in messages:
            headers: list[tuple[str, str | bytes | None]] = list(one.headers)
            writer.produce(one.topic, one.value, one.key, headers=headers, on_delivery=done)
            waiting += len(one.value or b"")
            if waiting >= AT_ONCE:
                writer.flush(WRITE_SECONDS)
                waiting = 0
        left = writer.flush(WRITE_SECONDS)
    if failures:
        raise failures[0]
    if left:
        raise Unavailable(f"Kafka: {left} messages were not acknowledged in time.")
