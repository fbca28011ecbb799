"""Stores by URL: the scheme names the backend, whose module is imported only when it is chosen.

A backend module has `async def open(url, extra_kinds, clock) -> Store` and raises `ValueError` for
a parameter that it does not understand. One that says `FOLLOWS = True` takes the URL as `Sourced`
and asks for it at each connection.
"""

import importlib
from collections.abc import Callable, Iterable
from typing import Protocol
from urllib.parse import urlsplit

from mediamill.core.clock import Clock
from mediamill.core.errors import ConfigurationError
from mediamill.core.extras import needing
from mediamill.core.records import Record
from mediamill.core.sourced import Sourced, sourced
from mediamill.store.calls import changes_of
from mediamill.store.port import Put, Store, Walks


class Source(Walks, Protocol):
    """A store that is read whole and left as it is."""

    async def require_alone(self) -> None:
        """Raise `Locked` where a service may have used it since it was opened."""

    async def close(self) -> None:
        """Let go of it."""


SETTING = "MEDIAMILL_STORE_URL"
BACKENDS = {
    "dynamodb": "mediamill.store.dynamodb.opening",
    "memory": "mediamill.store.memory",
    "postgresql": "mediamill.store.sql.postgres.store",
    "sqlite": "mediamill.store.sql.sqlite.store",
}


SOURCES = {
    "postgresql": "mediamill.store.sql.postgres.reading",
    "sqlite": "mediamill.store.sql.sqlite.reading",
}
"""What can be read whole: modules with `async def open_to_read(url) -> Source`."""

PROBES = {"postgresql": "mediamill.store.sql.postgres.probing"}
"""What is elsewhere and can be asked: modules with `async def probe(url) -> str`."""


async def open_to_read(url: str) -> Source:
    """Open a store that is moved elsewhere, for reading only.

    Raises `Locked` while a service has it open and `ConfigurationError`.
    """
    scheme = urlsplit(url).scheme
    if scheme not in SOURCES:
        known = ", ".join(f"{name}:" for name in SOURCES)
        message = f"{SETTING}: “{scheme}:” cannot be moved elsewhere, only {known}"
        raise ConfigurationError(message, setting=SETTING)
    with needing(scheme, SETTING):
        backend = importlib.import_module(SOURCES[scheme])
    try:
        source: Source = await backend.open_to_read(url)
    except ValueError as error:
        raise ConfigurationError(f"{SETTING}: {error}", setting=SETTING) from error
    return source


def fitting(url: str) -> Callable[[Record], None]:
    """Return what raises `ValueError` for a record that the store of a URL could not keep."""
    scheme = urlsplit(url).scheme
    if scheme not in BACKENDS:
        return _fits
    with needing(scheme, SETTING):
        backend = importlib.import_module(BACKENDS[scheme])
    own: Callable[[Record], None] = getattr(backend, "fits", _fits)
    return own


def _fits(record: Record) -> None:
    changes_of([Put(record)])


async def probe_store(url: str) -> str | None:
    """Say what answers at a store's URL and change nothing; None where nothing is to be asked.

    Raises what `open_store` raises.
    """
    scheme = urlsplit(url).scheme
    if scheme not in PROBES:
        return None
    with needing(scheme, SETTING):
        backend = importlib.import_module(PROBES[scheme])
    try:
        told: str = await backend.probe(url)
    except ValueError as error:
        raise ConfigurationError(f"{SETTING}: {error}", setting=SETTING) from error
    return told


async def open_store(
    url: str | Sourced, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> Store:
    """Open the store that a URL names; raises `ConfigurationError` that names the setting.

    The service's own records have their tables by migration; `extra_kinds` (of tests and tools)
    get theirs made when missing. `clock` is what `now` tells where that is the machine's clock.
    """
    source = sourced(url)
    said = await source.current()
    scheme = said.partition(":")[0]
    if scheme not in BACKENDS:
        known = ", ".join(f"{name}:" for name in BACKENDS)
        message = f"{SETTING}: there is no store for “{scheme}:”. Known: {known}."
        raise ConfigurationError(message, setting=SETTING)
    with needing(scheme, SETTING):
        backend = importlib.import_module(BACKENDS[scheme])
    try:
        follows = getattr(backend, "FOLLOWS", False)
        store: Store = await backend.open(source if follows else said, extra_kinds, clock)
    except ValueError as error:
        raise ConfigurationError(f"{SETTING}: {error}", setting=SETTING) from error
    return store
