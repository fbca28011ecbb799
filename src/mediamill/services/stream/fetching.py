"""Objects in buckets that messages point to: only from places that the topic allows."""

from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

from mediamill.adapters.objects.opening import open_objects
from mediamill.adapters.objects.port import Objects
from mediamill.core.errors import AddressRefused, NotFound
from mediamill.services.stream.rules import TopicRule


class Places:
    """The allowed places, each opened once, with the credentials of this service."""

    def __init__(self) -> None:
        self._open: dict[str, Objects] = {}

    async def read(self, address: str, rule: TopicRule) -> tuple[AsyncIterator[bytes], int]:
        """Begin to read an object; return its bytes and their number.

        Raises `AddressRefused` for one that is nowhere allowed, `NotFound`, `Unavailable`.
        """
        place, key = allowed(address, rule)
        if place not in self._open:
            self._open[place] = open_objects(place)
        objects = self._open[place]
        found = await objects.describe(key)
        if found is None:
            raise NotFound(f"There is no object {address[:200]}.")
        return objects.read(key), found.size


def allowed(address: str, rule: TopicRule) -> tuple[str, str]:
    """Return the allowed place that an object is in, and its key there.

    How the place is reached is said by the setting only. Raises `AddressRefused`.
    """
    wanted = _parts(address)
    if wanted is None or not wanted[2]:
        raise AddressRefused("object is the address of one, such as s3://bucket/folder/key.")
    scheme, bucket, path = wanted
    if any(step in ("", ".", "..") for step in path.split("/")):
        raise AddressRefused("object: its key has an empty step, or one of dots.")
    for place in rule.buckets:
        parts = _parts(place.partition("?")[0])
        if parts is None or parts[:2] != (scheme, bucket):
            continue
        folder = f"{parts[2]}/" if parts[2] else ""
        if path.startswith(folder):
            return place, path.removeprefix(folder)
    raise AddressRefused("object: this topic may not bring what lies there.")


def _parts(address: str) -> tuple[str, str, str] | None:
    """Return scheme, bucket and path; None for what is no plain address of an object."""
    if any(ord(letter) < 32 for letter in address) or len(address) > 2000:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if not parts.scheme or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return parts.scheme, parts.netloc, unquote(parts.path).strip("/")
