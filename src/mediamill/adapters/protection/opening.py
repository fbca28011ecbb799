"""Open what `MEDIAMILL_PROTECTION_URL` names."""

from typing import Any

from mediamill.adapters.protection.port import Protection
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.registry import Registry

SETTING = "MEDIAMILL_PROTECTION_URL"
KINDS: Registry[Any] = Registry(
    "mediamill.adapters.protection",
    "protection of workers",
    exclude=frozenset({"opening", "port"}),
)


def open_protection(url: str) -> Protection:
    """Make what a URL names; raises `ConfigurationError`.

    A plug-in is a class with `open(cls, url: str) -> Protection`.
    """
    try:
        kind = KINDS.get(url.partition(":")[0])
    except NotFound as error:
        raise ConfigurationError(f"{SETTING}: {error.message}", setting=SETTING) from None
    protection: Protection = kind.open(url)
    return protection
