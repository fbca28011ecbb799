"""The client library's objects, made alike, and its errors as ours."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from mediamill.adapters.stream.kafka.address import IAM, SETTING, Address
from mediamill.core.errors import (
    ConfigurationError,
    Conflict,
    LimitExceeded,
    MediamillError,
    Unavailable,
)

ANSWER_SECONDS = 20.0
log = logging.getLogger("mediamill.kafka")
"""The library's own lines; a broker that is away is told each second, so they are for debugging."""
log.setLevel(logging.CRITICAL)

REFUSED = frozenset({
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._AUTHENTICATION,
})  # fmt: skip
FENCED = frozenset({
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
})  # fmt: skip
ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})


def common(address: Address) -> dict[str, Any]:
    """Return the settings of every client."""
    settings = {**address.settings(), "logger": log}
    if address.sasl == IAM:
        from mediamill.adapters.stream.kafka.iam import signer

        settings["oauth_cb"] = signer(address.region)
    return settings


def consumer(address: Address, **more: Any) -> Consumer:
    """Make a consumer."""
    with told():
        return Consumer({**common(address), **more})


def producer(address: Address, **more: Any) -> Producer:
    """Make a producer whose messages are written once each, in order."""
    with told():
        return Producer({
            **common(address), "enable.idempotence": True, "compression.type": "none",
            "message.max.bytes": 1_000_000_000, "linger.ms": 5, **more,
        })  # fmt: skip


def administrator(address: Address) -> AdminClient:
    """Make what asks about topics."""
    with told():
        return AdminClient(common(address))


def topic_ids(admin: AdminClient, topics: list[str]) -> dict[str, str]:
    """Ask for the ids of topics; one that is not there has none."""
    found: dict[str, str] = {}
    answers = admin.describe_topics(TopicCollection(topics), request_timeout=ANSWER_SECONDS)
    for name, answer in answers.items():
        with told():
            try:
                found[name] = str(answer.result(ANSWER_SECONDS).topic_id)
            except KafkaException as error:
                if error.args[0].code() not in ABSENT:
                    raise
    return found


def make_topics(admin: AdminClient, topics: list[str]) -> None:
    """Make those that are missing; raises `ConfigurationError` where that is not allowed."""
    missing = [name for name in topics if name not in topic_ids(admin, topics)]
    if not missing:
        return
    for name, made in admin.create_topics([NewTopic(one, 1) for one in missing]).items():
        try:
            made.result(ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            message = f"{SETTING}: the topic {name} is missing and cannot be made: make it."
            raise ConfigurationError(message, setting=SETTING) from None


@contextmanager
def told() -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except KafkaException as error:
        raise _judged(error.args[0]) from None
    except (BufferError, TimeoutError, RuntimeError) as error:
        raise Unavailable(f"Kafka: {error or 'no answer'}.") from None


def judged(error: KafkaError) -> MediamillError:
    """Return the library's error as ours."""
    return _judged(error)


def _judged(error: KafkaError) -> MediamillError:
    code, text = error.code(), error.str()
    if code in REFUSED:
        return ConfigurationError(f"{SETTING}: refused: {text}.", setting=SETTING)
    if code in FENCED:
        return Conflict(f"Kafka: another process has these partitions now: {text}.")
    if code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return LimitExceeded(f"Kafka: the message is larger than its topic takes: {text}.")
    if code == KafkaError._INVALID_ARG:
        return ConfigurationError(f"{SETTING}: {text}.", setting=SETTING)
    return Unavailable(f"Kafka: {text}.")
