"""Stores by URL: the scheme names the backend, whose module is imported only when it is chosen.

A backend module has `async def open(url, extra_kinds, clock) -> Store` and raises `ValueError` for
a parameter that it does not understand.
"""

import importlib
from collections.abc import Iterable
from urllib.parse import urlsplit

from mediamill.core.clock import Clock
from mediamill.core.errors import ConfigurationError
from mediamill.core.records import Record
from mediamill.store.port import Store

SETTING = "MEDIAMILL_STORE_URL"
BACKENDS = {
    "dynamodb": "mediamill.store.dynamodb.opening",
    "memory": "mediamill.store.memory",
    "postgresql": "mediamill.store.sql.postgres.store",
    "sqlite": "mediamill.store.sql.sqlite.store",
}


async def open_store(
    url: str, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> Store:
    """Open the store that a URL names; raises `ConfigurationError` that names the setting.

    The service's own records have their tables by migration; `extra_kinds` (of tests and tools)
    get theirs made when missing. `clock` is what `now` tells where that is the machine's clock.
    """
    scheme = urlsplit(url).scheme
    if scheme not in BACKENDS:
        known = ", ".join(f"{name}:" for name in BACKENDS)
        message = f"{SETTING}: there is no store for “{scheme}:”. Known: {known}."
        raise ConfigurationError(message, setting=SETTING)
    backend = importlib.import_module(BACKENDS[scheme])
    try:
        store: Store = await backend.open(url, extra_kinds, clock)
    except ValueError as error:
        raise ConfigurationError(f"{SETTING}: {error}", setting=SETTING) from error
    return store
