"""Read a stretch of a partition, without a group; the calls block."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Received

from mediamill.adapters.stream.kafka.asking import ANSWER_SECONDS
from mediamill.adapters.stream.kafka.clients import consumer, told
from mediamill.adapters.stream.kafka.login import Login
from mediamill.adapters.stream.kafka.received import message_of, reading_as
from mediamill.adapters.stream.kafka.telling import look_at
from mediamill.adapters.stream.port import Message, Part
from mediamill.core.errors import Unavailable

MOST_BYTES = 8 << 20
"""So much is read at a time; the first message may be larger."""
POLL_SECONDS = 0.1


class Stretches:
    """A consumer that reads what it is told to, as long as the address is the same."""

    def __init__(self, login: Login) -> None:
        self._address = login.address
        more = {"enable.partition.eof": True, "auto.offset.reset": "earliest"}
        settings = reading_as(login.address) | more | {"error_cb": login.note}
        self._reader: Consumer = consumer(login, **settings)

    def fits(self, login: Login) -> bool:
        """Tell whether it reads from the address as it is now."""
        return self._address is login.address

    def read(self, part: Part, first: int | None, until: int) -> Sequence[Message]:
        """Return committed messages of a stretch, the first of them where they are many."""
        if first is None and self._address.start != "earliest":
            return []
        found, size = list[Message](), 0
        with told():
            self._reader.assign([TopicPartition(part.topic, part.number, first or 0)])
            try:
                for received in self._received(until):
                    found.append(message_of(part, received))
                    size += found[-1].size
                    if size >= MOST_BYTES:
                        break
            finally:
                with suppress(KafkaException, RuntimeError):
                    self._reader.unassign()  # else it goes on fetching
        return found

    def _received(self, until: int) -> Iterator[Received]:
        """Read up to an offset; an open transaction before it is waited for."""
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            received = self._reader.poll(POLL_SECONDS)
            if received is None:
                continue
            error, offset = received.error(), received.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                look_at(error)
            elif offset is not None and offset >= until:
                return
            elif error is None:
                yield received
                end = time.monotonic() + ANSWER_SECONDS
        raise Unavailable(f"Kafka: messages before the offset {until} could not be read.")

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()
