"""What the client library tells of by itself: in the log, not each time that it tries again."""

import time

import structlog
from confluent_kafka import KafkaError

from mediamill.adapters.stream.kafka.clients import judged
from mediamill.adapters.stream.kafka.login import Login
from mediamill.core.errors import ConfigurationError, Unavailable

log = structlog.get_logger(__name__)

QUIET_SECONDS = 30.0
"""For so long an error of the same kind is not told again."""


class Told:
    """Takes the library's errors; it mends them by itself, or the next call fails with them."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._last: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Log an error, unless one like it was told a moment ago."""
        self._login.note(error)
        now, code = time.monotonic(), error.code()
        if code == KafkaError._ALL_BROKERS_DOWN or now - self._last.get(code, -1e9) < QUIET_SECONDS:
            return
        self._last[code] = now
        log.warning("kafka", action="kafka_trouble", error=error.str())


def look_at(error: KafkaError) -> None:
    """Raise what ends reading; the library mends the rest by itself."""
    if error.fatal():
        raise Unavailable(f"Kafka: {error.str()}.")
    if isinstance(found := judged(error), ConfigurationError):
        raise found
    log.info("kafka", action="kafka_trouble", error=error.str())
