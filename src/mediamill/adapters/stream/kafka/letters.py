"""Write dead letters together with the offset behind them, both or none: Kafka's transactions.

The transaction carries the generation of the group in which the partition was ours, so that a
process that lost it meanwhile writes nothing, however late it wakes up.
"""

import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaException, Producer, TopicPartition

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.asking import Administrator
from mediamill.adapters.stream.kafka.clients import producer, told
from mediamill.adapters.stream.kafka.login import Login
from mediamill.adapters.stream.kafka.publishing import write
from mediamill.adapters.stream.port import Outgoing, Part

BEGIN_SECONDS, END_SECONDS = 20.0, 20.0
OPEN_MS = 10_000
"""How long a transaction may be open: so long may a crash hold up who takes over."""
TRIES = 5


class Letters:
    """A transactional producer, made when there is a first letter; its calls block."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._made_for: Address | None = None
        self._doubtful: set[Part] = set()
        """Partitions whose last transaction may have been committed though it failed here."""

    def bury(self, part: Part, messages: Sequence[Outgoing], settled: int, member: Any) -> None:
        """Write the letters and commit the offset; `member` is the group's metadata."""
        with self._lock:
            if part in self._doubtful and self._committed(part) >= settled:
                self._doubtful.discard(part)
                return
            writer = self._writer()
            try:
                self._transact(writer, part, messages, settled, member)
            except BaseException:
                self._doubtful.add(part)
                self._end(writer)
                raise
            self._doubtful.discard(part)

    def _writer(self) -> Producer:
        if self._producer is None or self._made_for is not self._login.address:
            self._made_for = self._login.address
            name = f"mediamill-{self._login.address.group}-{uuid.uuid4()}"
            writer = producer(
                self._login, **{"transactional.id": name, "transaction.timeout.ms": OPEN_MS}
            )
            with told():
                writer.init_transactions(BEGIN_SECONDS)
            self._producer = writer
        return self._producer

    def _transact(
        self, writer: Producer, part: Part, messages: Sequence[Outgoing], settled: int, member: Any
    ) -> None:
        with told():
            writer.begin_transaction()
        write(writer, messages)
        place = position(part, settled)
        with told():
            writer.send_offsets_to_transaction([place], member, BEGIN_SECONDS)
            self._commit(writer)

    def _commit(self, writer: Producer) -> None:
        """Commit; what may be tried again is, since giving up would leave it open."""
        for left in reversed(range(TRIES)):
            try:
                writer.commit_transaction(END_SECONDS)
            except KafkaException as error:
                if not left or not error.args[0].retriable():
                    raise
            else:
                return

    def _end(self, writer: Producer) -> None:
        """Abort what is open, and give the producer up: the next one begins with clean numbers.

        After a message that was too large the same one fails once more, out of sequence.
        """
        self._producer = None
        with suppress(Exception):  # fenced, or the broker is away: the broker ends it by itself
            writer.abort_transaction(END_SECONDS)

    def _committed(self, part: Part) -> int:
        return Administrator(self._login).committed(self._login.address.group, part)


def position(part: Part, offset: int) -> TopicPartition:
    """Return a partition's offset as it is committed: with the id of its topic."""
    return TopicPartition(part.topic, part.number, offset, metadata=part.topic_id)
