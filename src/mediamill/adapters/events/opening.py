"""Open the place that `MEDIAMILL_EVENTS_URL` names."""

from typing import Any

from mediamill.adapters.events.port import Events
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.extras import needing
from mediamill.core.registry import Registry

SETTING = "MEDIAMILL_EVENTS_URL"
PLACES: Registry[Any] = Registry(
    "mediamill.adapters.events", "place for events", exclude=frozenset({"opening", "port"})
)


def open_events(url: str) -> Events:
    """Make the place of a URL; raises `ConfigurationError`.

    A plug-in is a class with `open(cls, url: str) -> Events`.
    """
    scheme = url.partition(":")[0]
    try:
        with needing(scheme, SETTING):
            kind = PLACES.get(scheme)
    except NotFound as error:
        raise ConfigurationError(f"{SETTING}: {error.message}", setting=SETTING) from None
    events: Events = kind.open(url)
    return events


async def probe_events(url: str) -> str | None:
    """Say what is where events go; None for nowhere. Raises what `open_events` and `probe` do."""
    events = open_events(url)
    try:
        return await events.probe()
    finally:
        await events.close()
