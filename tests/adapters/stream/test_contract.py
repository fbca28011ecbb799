"""The stream's contract: a real broker, and what tests have in memory instead of one."""

from collections.abc import Sequence

import pytest

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.publishing import KafkaPublisher
from mediamill.adapters.stream.kafka.reading import KafkaStream
from tests.contracts.stream_contract import StreamContract
from tests.support.kafka import Kafka
from tests.support.memory_stream import MemoryBroker, MemoryPublisher, MemoryStream
from tests.support.streams import administrator, committed, make_topic, read, url, write

pytestmark = pytest.mark.timeout(120)


class KafkaDesk:
    """A broker; the group of each test is a new one."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def make(self, topic: str, partitions: int = 1, most: int = 1 << 20) -> None:
        make_topic(self._kafka, topic, partitions, most)

    def delete(self, topic: str) -> None:
        admin = administrator(self._kafka)  # gone, it would take its question with it
        admin.delete_topics([topic])[topic].result(20)

    def write(self, topic: str, values: Sequence[bytes], partition: int = 0) -> None:
        write(self._kafka, topic, values, partition=partition)

    def read(self, topic: str) -> list:
        return [(one.value(), one.key(), one.headers() or []) for one in read(self._kafka, topic)]

    def settled(self, topic: str, group: str) -> int:
        return committed(self._kafka, topic, group)

    def stream(self, topics: Sequence[str], group: str, room: int = 1 << 26) -> KafkaStream:
        return KafkaStream(self._address(group), topics, room)

    def publisher(self) -> KafkaPublisher:
        return KafkaPublisher(self._address("none"))

    def _address(self, group: str) -> Address:
        return Address.of(url(self._kafka, group=group))


class MemoryDesk:
    def __init__(self) -> None:
        self._broker = MemoryBroker()
        self.delete = self._broker.delete

    def make(self, topic: str, partitions: int = 1, most: int = 1 << 20) -> None:
        self._broker.make(topic, partitions, most)

    def write(self, topic: str, values: Sequence[bytes], partition: int = 0) -> None:
        for value in values:
            self._broker.write(topic, value, partition=partition)

    def read(self, topic: str) -> list:
        return [(one.value, one.key, [*one.headers]) for one in self._broker.read(topic)]

    def settled(self, topic: str, group: str) -> int:
        return sum(self._broker.group(group).offsets.values())

    def stream(self, topics: Sequence[str], group: str, room: int = 1 << 26) -> MemoryStream:
        return MemoryStream(self._broker, topics, group, room)

    def publisher(self) -> MemoryPublisher:
        return MemoryPublisher(self._broker)


class TestMemory(StreamContract):
    @pytest.fixture
    def desk(self) -> MemoryDesk:
        return MemoryDesk()


class TestKafka(StreamContract):
    @pytest.fixture
    def desk(self, kafka: Kafka) -> KafkaDesk:
        return KafkaDesk(kafka)
