"""Kafka and what speaks its protocol (MSK, Redpanda), through librdkafka.

Reads as a member of a consumer group, with settled offsets kept there; beside each offset stands
the id of its topic, so that those of a topic that was deleted are not taken for another's of the
same name. Dead letters go out in transactions with the offsets. In Kafka's terms this needs: on
the topics `Read` and `Describe`, on the group `Read`, and for dead letters and results `Write`,
`Describe` and, to make them, `Create` on their topics, on the cluster `IdempotentWrite`, on
`TransactionalId` `mediamill-*` `Write` and `Describe`.
"""

from collections.abc import Sequence

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.publishing import KafkaPublisher
from mediamill.adapters.stream.kafka.reading import KafkaStream


class Kafka:
    """Opens both ways."""

    @classmethod
    def open_stream(cls, url: str, topics: Sequence[str]) -> KafkaStream:
        """Make a member of the group; raises `ConfigurationError`."""
        return KafkaStream(Address.of(url), topics)

    @classmethod
    def open_publisher(cls, url: str) -> KafkaPublisher:
        """Make what writes; raises `ConfigurationError`."""
        return KafkaPublisher(Address.of(url))


plugin = Kafka
