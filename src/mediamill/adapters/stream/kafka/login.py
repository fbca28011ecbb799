"""Who we are to the brokers, which may change while we run, and the clients that say so.

Users and passwords are followed: each client is told the new ones, and says them when it connects
the next time. What else is in the address takes effect when the service is started anew.
"""

import threading
from dataclasses import replace
from typing import TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from mediamill.adapters.stream.kafka.address import IAM, SETTING, Address
from mediamill.core.errors import MediamillError
from mediamill.core.sourced import Sourced

log = structlog.get_logger(__name__)

C = TypeVar("C", Consumer, Producer, AdminClient)
REFUSING = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})


class Login:
    """An address as it is now."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._source: Sourced | None = None
        self._lock = threading.Lock()
        self._clients: list[Consumer | Producer | AdminClient] = []
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

    def added(self, client: C) -> C:
        """Keep a client informed, until `forget`."""
        with self._lock:
            self._clients.append(client)
            self._tell(client)  # it may have been made with what was said before
        return client

    def forget(self, client: Consumer | Producer | AdminClient) -> None:
        with self._lock:
            self._clients = [one for one in self._clients if one is not client]

    async def renew(self) -> bool:
        """Look the address up, anew if we were refused; tell whether user or password are others.

        Where that fails the last ones hold.
        """
        if self._source is None:
            return False
        refused = self.refused
        self._refused.clear()
        try:
            text = await (self._source.renewed() if refused else self._source.current())
            return self._move(Address.of(text))
        except MediamillError as error:
            log.error("an address is unusable; the last one is used", action="setting_broken",
                      setting=SETTING, error=error.message)  # fmt: skip
            return False

    def _move(self, address: Address) -> bool:
        if address == self.address:
            return False
        with self._lock:
            before, self.address = self.address, address
            for client in self._clients:
                self._tell(client)
        if replace(before, user=address.user, password=address.password) != address:
            log.error("more than user and password has changed: start the service anew",
                      action="setting_changed", setting=SETTING)  # fmt: skip
        log.info("user and password changed", action="login_changed", setting=SETTING)
        return True

    def _tell(self, client: Consumer | Producer | AdminClient) -> None:
        if self.address.sasl not in ("", IAM):
            client.set_sasl_credentials(self.address.user, self.address.password)
