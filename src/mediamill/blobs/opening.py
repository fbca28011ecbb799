"""Stores by URL: the scheme names the backend, which is imported only when it is chosen.

`file:///absolute/folder` and `memory:` are here; any other scheme is the plug-in of that name in
this folder or of the entry-point group `mediamill.blobs`. A plug-in is a class with

    async def open(cls, url: str, *, setting: str, min_free_bytes: int) -> Blobs
"""

from typing import Any
from urllib.parse import urlsplit

from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.extras import needing
from mediamill.core.registry import Registry

BACKENDS: Registry[Any] = Registry(
    "mediamill.blobs",
    "blob store",
    exclude=frozenset({"claims", "digests", "keys", "opening", "port", "scratch", "together"}),
)
_NAMES = {"file": "local"}


async def open_blobs(
    url: str, *, setting: str = "MEDIAMILL_BLOBS_URL", min_free_bytes: int = 0
) -> Blobs:
    """Open the store that a URL names; raises `ConfigurationError` that names `setting`."""
    scheme = urlsplit(url).scheme
    try:
        with needing(scheme, setting):
            backend = BACKENDS.get(_NAMES.get(scheme, scheme))
    except NotFound:
        known = "file:///folder, memory:" + "".join(
            f", {name}:" for name in BACKENDS.names() if name not in {"local", "memory"}
        )
        message = f"{setting}: there is no store for “{scheme}:”. Known: {known}."
        raise ConfigurationError(message, setting=setting) from None
    opened: Blobs = await backend.open(url, setting=setting, min_free_bytes=min_free_bytes)
    return opened
