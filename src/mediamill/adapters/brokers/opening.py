"""Open the doorbell that `MEDIAMILL_BROKER_URL` names."""

from typing import Any

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.registry import Registry

BROKERS: Registry[Any] = Registry(
    "mediamill.adapters.brokers",
    "broker",
    exclude=frozenset({"address", "ears", "opening", "outbox", "port", "relay"}),
)
ENCRYPTED = {"amqps": "amqp", "rediss": "redis", "tls": "nats"}
"""Schemes that mean another one's backend, with TLS."""


def open_bell(url: str, store_url: str) -> Doorbell:
    """Make the doorbell of a URL, which may ring through the store; raises `ConfigurationError`.

    A plug-in is a class with `open(cls, url: str, store_url: str) -> Doorbell`.
    """
    scheme = url.partition(":")[0]
    try:
        kind = BROKERS.get(ENCRYPTED.get(scheme, scheme))
    except NotFound as error:
        raise ConfigurationError(f"MEDIAMILL_BROKER_URL: {error.message}") from None
    bell: Doorbell = kind.open(url, store_url)
    return bell
