"""Open the doorbell that `MEDIAMILL_BROKER_URL` names."""

from typing import Any

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.registry import Registry

BROKERS: Registry[Any] = Registry(
    "mediamill.adapters.brokers", "broker", exclude=frozenset({"port", "opening"})
)


def open_bell(url: str) -> Doorbell:
    """Make the doorbell of a URL; raises `ConfigurationError`."""
    scheme, _, rest = url.partition(":")
    try:
        kind = BROKERS.get(scheme)
    except NotFound as error:
        raise ConfigurationError(f"MEDIAMILL_BROKER_URL: {error.message}") from None
    if rest:
        raise ConfigurationError(
            f"MEDIAMILL_BROKER_URL: `{scheme}:` takes nothing after the colon."
        )
    bell: Doorbell = kind()
    return bell
