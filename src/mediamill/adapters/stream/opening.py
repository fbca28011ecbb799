"""Open the stream that `MEDIAMILL_STREAM_URL` names."""

from collections.abc import Sequence
from typing import Any

from mediamill.adapters.stream.port import Follows, Publisher, Stream
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.extras import needing
from mediamill.core.registry import Registry
from mediamill.core.sourced import Sourced

SETTING = "MEDIAMILL_STREAM_URL"
STREAMS: Registry[Any] = Registry(
    "mediamill.adapters.stream", "kind of stream", exclude=frozenset({"opening", "port"})
)
ENCRYPTED = {"kafkas": "kafka"}
"""Schemes that mean another one's backend, with TLS."""
NONE = "none:"


def open_stream(url: str, topics: Sequence[str], source: Sourced | None = None) -> Stream:
    """Make a member of the group that reads these topics; raises `ConfigurationError`.

    It goes on with the password that the `source` of the URL says later. A plug-in is a class with
    `open_stream(cls, url, topics)` and `open_publisher(cls, url)`.
    """
    stream: Stream = _kind(url).open_stream(url, topics)
    if source is not None and isinstance(stream, Follows):
        stream.follow(source)
    return stream


def open_publisher(url: str, source: Sourced | None = None) -> Publisher:
    """Make what writes to the stream's topics; raises `ConfigurationError`."""
    publisher: Publisher = _kind(url).open_publisher(url)
    if source is not None and isinstance(publisher, Follows):
        publisher.follow(source)
    return publisher


async def probe_stream(url: str, topics: Sequence[str]) -> Sequence[str]:
    """Ask the brokers which of these topics are missing; raises `ConfigurationError`.

    Raises `Unavailable` when there is no answer.
    """
    publisher = open_publisher(url)
    try:
        there = await publisher.identify(topics)
        return [name for name in topics if name not in there]
    finally:
        await publisher.close()


def _kind(url: str) -> Any:
    if url == NONE:
        message = f"{SETTING} is not set: write kafka://broker:9092."
        raise ConfigurationError(message, setting=SETTING)
    scheme = url.partition(":")[0]
    name = ENCRYPTED.get(scheme, scheme)
    try:
        with needing(name, SETTING):
            return STREAMS.get(name)
    except NotFound as error:
        raise ConfigurationError(f"{SETTING}: {error.message}", setting=SETTING) from None
