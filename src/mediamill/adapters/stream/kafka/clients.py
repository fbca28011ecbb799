"""The client library's objects, made alike, and its errors as ours."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from mediamill.adapters.stream.kafka.address import IAM, SETTING, Address
from mediamill.adapters.stream.kafka.login import Login
from mediamill.core.errors import (
    ConfigurationError,
    Conflict,
    LimitExceeded,
    MediamillError,
    Unavailable,
)

log = logging.getLogger("mediamill.kafka")
"""The library's own lines; a broker that is away is told each second, so they are for debugging."""
log.setLevel(logging.CRITICAL)

REFUSED = frozenset({
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._AUTHENTICATION, KafkaError._SSL,
})  # fmt: skip
FENCED = frozenset({
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
})  # fmt: skip


def common(address: Address) -> dict[str, Any]:
    """Return the settings of every client."""
    settings = {**address.settings(), "logger": log}
    if address.sasl == IAM:
        from mediamill.adapters.stream.kafka.iam import signer

        settings["oauth_cb"] = signer(address.region)
    return settings


def consumer(login: Login, **more: Any) -> Consumer:
    """Make a consumer."""
    with told():
        return Consumer({**common(login.address), **more})


def producer(login: Login, **more: Any) -> Producer:
    """Make a producer whose messages are written once each, in order."""
    with told():
        return Producer({
            **common(login.address), "enable.idempotence": True, "compression.type": "none",
            "message.max.bytes": 1_000_000_000, "linger.ms": 5, "error_cb": login.note, **more,
        })  # fmt: skip


@contextmanager
def told() -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except KafkaException as error:
        raise judged(error.args[0]) from None
    except (BufferError, TimeoutError, RuntimeError) as error:
        raise Unavailable(f"Kafka: {error or 'no answer'}.") from None


def judged(error: KafkaError) -> MediamillError:
    """Return the library's error as ours."""
    code, text = error.code(), error.str()
    if code in REFUSED:
        message = f"{SETTING}: the brokers refuse us: {text}. Look at user, password and rights."
        return ConfigurationError(message, setting=SETTING)
    if code in FENCED:
        return Conflict(f"Kafka: another process has these partitions now: {text}.")
    if code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return LimitExceeded(f"Kafka: the message is larger than its topic takes: {text}.")
    if code == KafkaError._INVALID_ARG:
        return ConfigurationError(f"{SETTING}: {text}.", setting=SETTING)
    return Unavailable(f"Kafka: {text}.")
