"""Ask the brokers about topics and groups; the calls block."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from mediamill.adapters.stream.kafka.address import SETTING
from mediamill.adapters.stream.kafka.clients import common, judged, told
from mediamill.adapters.stream.kafka.login import REFUSING, Login
from mediamill.adapters.stream.port import Part
from mediamill.core.errors import ConfigurationError

T = TypeVar("T")

ANSWER_SECONDS, DOWN_SECONDS, LOOK_SECONDS = 20.0, 5.0, 0.1
"""How long an answer is waited for, how long once all brokers are away, and between looks."""
ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})
TROUBLE = frozenset({KafkaError._TRANSPORT, KafkaError._RESOLVE})


class Administrator:
    """A connection for questions."""

    def __init__(self, login: Login) -> None:
        self._refusal: KafkaError | None = None
        self._trouble = ""
        """What went wrong last with a connection."""
        self._down = False
        """Whether all brokers have turned out to be away since that was looked at."""
        self.closed = False
        """Whether nobody waits for answers any more."""
        self._login, self._address = login, login.address
        with told():
            settings: dict[str, Any] = {**common(login.address), "error_cb": self._note}
            self._admin = AdminClient(settings)

    @property
    def stale(self) -> bool:
        """Whether the address is another one by now."""
        return self._login.address is not self._address

    def ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Return the ids of topics; one that is not there has none."""
        found: dict[str, str] = {}
        with told():
            wanted = TopicCollection(list(topics))
            answers = self._admin.describe_topics(wanted, request_timeout=ANSWER_SECONDS)
            for name, answer in answers.items():
                try:
                    found[name] = str(self._answer(answer).topic_id)
                except KafkaException as error:
                    if error.args[0].code() not in ABSENT:
                        raise
        return found

    def make(self, topics: Sequence[str]) -> None:
        """Make topics that are missing; raises `ConfigurationError` where that is not allowed."""
        there = self.ids(topics)
        missing = [name for name in topics if name not in there]
        if not missing:
            return
        made = self._admin.create_topics([NewTopic(name, 1) for name in missing])
        for name, answer in made.items():
            try:
                self._answer(answer)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                    continue
                message = f"{SETTING}: the topic {name} is missing and cannot be made: make it."
                raise ConfigurationError(message, setting=SETTING) from None

    def cluster(self) -> str:
        """Return the cluster's id."""
        with told():
            return self._admin.list_topics(timeout=ANSWER_SECONDS).cluster_id or ""

    def committed(self, group: str, part: Part) -> int:
        """Return what a group has committed once nothing is under way any more; -1 for nothing."""
        place = TopicPartition(part.topic, part.number)
        with told():
            answers = self._admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, [place])],
                require_stable=True,
                request_timeout=ANSWER_SECONDS,
            )
            (answer,) = answers.values()
            (found,) = self._answer(answer).topic_partitions or [place]
        return found.offset if found.metadata == part.topic_id else -1

    def _note(self, error: KafkaError) -> None:
        self._login.note(error)
        if error.code() in TROUBLE:
            self._trouble = f" ({error.str()})"
        self._down = self._down or error.code() == KafkaError._ALL_BROKERS_DOWN
        if error.code() in REFUSING:
            self._refusal = error

    def _answer(self, waiting: "Future[T]") -> T:
        """Wait for an answer; raises what keeps the library from asking at all."""
        self._refusal, until = None, time.monotonic() + ANSWER_SECONDS
        while not wait([waiting], LOOK_SECONDS).done:
            self._admin.poll(0)  # else nobody is told why there is no answer
            if self._refusal is not None:
                raise judged(self._refusal)
            if self._down:
                until = min(until, time.monotonic() + DOWN_SECONDS)
                self._down = False
            if time.monotonic() > until or self.closed:
                raise self._silence()
        try:
            return waiting.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError._TIMED_OUT:
                raise self._silence() from None
            raise

    def _silence(self) -> TimeoutError:
        brokers = ", ".join(self._address.brokers)
        return TimeoutError(f"no answer from {brokers}{self._trouble}")
