"""Open the doorbell that `MEDIAMILL_BROKER_URL` names."""

from typing import Any

from mediamill.adapters.brokers.port import Doorbell, Served
from mediamill.core.errors import ConfigurationError, NotFound, Unavailable
from mediamill.core.extras import needing
from mediamill.core.registry import Registry

BROKERS: Registry[Any] = Registry(
    "mediamill.adapters.brokers",
    "broker",
    exclude=frozenset({"address", "addressed", "ears", "opening", "outbox", "port", "relay"}),
)
ENCRYPTED = {"amqps": "amqp", "rediss": "redis", "tls": "nats"}
"""Schemes that mean another one's backend, with TLS."""
PROBE_SECONDS = 5.0


def open_bell(url: str, store_url: str) -> Doorbell:
    """Make the doorbell of a URL, which may ring through the store; raises `ConfigurationError`.

    A plug-in is a class with `open(cls, url: str, store_url: str) -> Doorbell`.
    """
    scheme = url.partition(":")[0]
    name = ENCRYPTED.get(scheme, scheme)
    try:
        with needing(name, "MEDIAMILL_BROKER_URL"):
            kind = BROKERS.get(name)
    except NotFound as error:
        raise ConfigurationError(f"MEDIAMILL_BROKER_URL: {error.message}") from None
    bell: Doorbell = kind.open(url, store_url)
    return bell


async def probe_bell(url: str, store_url: str) -> str | None:
    """Say whether a doorbell's server is there; None for one without. Raises `ConfigurationError`.

    Raises `Unavailable` that says why when it is not.
    """
    bell = open_bell(url, store_url)
    try:
        if not isinstance(bell, Served):
            return None
        with bell.listen("probe") as ear:
            await ear.wait(PROBE_SECONDS)  # who connects is rung
        if not bell.connected:
            raise Unavailable(f"MEDIAMILL_BROKER_URL: {bell.trouble or 'no answer'}.")
    finally:
        await bell.close()
    return "connected"
