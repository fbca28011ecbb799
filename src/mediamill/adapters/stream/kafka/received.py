"""How topics are read, and what comes of them as the port has it."""

from typing import Any

from confluent_kafka import Message as Received

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.port import Headers, Message, Part

AHEAD_KB = 16 << 10
"""Kilobytes that the library fetches ahead; a pause throws them away."""


def reading_as(address: Address) -> dict[str, Any]:
    """Return the settings of a member of the group."""
    return {
        "group.id": address.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": address.start,
        "partition.assignment.strategy": "range",
        "isolation.level": "read_committed",
        "session.timeout.ms": address.session_seconds * 1000,
        "heartbeat.interval.ms": max(200, address.session_seconds * 1000 // 10),
        "queued.max.messages.kbytes": AHEAD_KB,
        "fetch.message.max.bytes": 4 << 20,
        "fetch.queue.backoff.ms": 20,  # else it rests for a second each time that it is ahead
        "topic.metadata.refresh.interval.ms": 10_000,
        "fetch.wait.max.ms": 200,
    }


def place_of(received: Received) -> tuple[str, int]:
    """Return a message's topic and partition."""
    return received.topic() or "", _number(received.partition())


def message_of(part: Part, received: Received) -> Message:
    """Return a message of the library as one of the port."""
    return Message(
        part,
        _number(received.offset()),
        received.key(),
        received.value(),
        _headers(received),
        received.timestamp()[1],
    )


def _number(value: int | None) -> int:
    return -1 if value is None else value


def _headers(received: Received) -> Headers:
    found = received.headers() or []
    pairs = found.items() if isinstance(found, dict) else found
    return tuple((name, text.encode() if isinstance(text, str) else text) for name, text in pairs)
