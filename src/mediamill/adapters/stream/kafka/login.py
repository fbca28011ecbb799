"""The address as it is now: its password may change while we run.

Clients are made anew for another address. (librdkafka can tell a client another password, but that
call does not come back for more than a minute where the brokers have refused the client.)
"""

import threading

import structlog
from confluent_kafka import KafkaError

from mediamill.adapters.stream.kafka.address import SETTING, Address
from mediamill.core.errors import MediamillError
from mediamill.core.sourced import Sourced

log = structlog.get_logger(__name__)

REFUSING = frozenset({
    KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL,
})  # fmt: skip


class Login:
    """An address; `address` is another object once it has changed."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._source: Sourced | None = None
        self._refused = threading.Event()

    @property
    def refused(self) -> bool:
        """Whether brokers have refused us since the address was looked up last."""
        return self._refused.is_set()

    def follow(self, source: Sourced) -> None:
        """Look the address up there from now on."""
        self._source = source

    def note(self, error: KafkaError) -> None:
        """Take note of an error that a client tells; called in any thread."""
        if error.code() in REFUSING:
            self._refused.set()

    async def renew(self) -> bool:
        """Look the address up, at its place if we were refused; tell whether it is another one.

        Where that fails the last one holds.
        """
        if self._source is None:
            return False
        refused = self.refused
        self._refused.clear()
        try:
            text = await (self._source.renewed() if refused else self._source.current())
            address = Address.of(text)
        except MediamillError as error:
            log.error("a setting is unusable; the last one is used", action="setting_broken",
                      setting=SETTING, error=error.message)  # fmt: skip
            return False
        if address == self.address:
            return False
        self.address = address
        log.info("the address has changed", action="stream_moved", setting=SETTING)
        return True
