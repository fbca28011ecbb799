"""Open the provider of an address, or one that is set up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.port import Provider
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.extras import needing
from mediamill.core.registry import Registry
from mediamill.core.urls import telling

SHARED = frozenset({
    "address", "alone", "batching", "chat", "cloud", "completions", "config", "converse",
    "fallback", "families", "faults", "generated", "hooks", "opening", "port", "prices", "samples",
    "wire",
})  # fmt: skip
"""Modules of this folder that are no kinds of providers."""
PROVIDERS: Registry[Any] = Registry("mediamill.adapters.providers", "kind of provider", SHARED)


def open_provider(configured: Configured | str, models: Path | None = None) -> Provider:
    """Make a provider, which connects when it is first asked; raises `ConfigurationError`.

    `models` is the folder of local models. A plug-in is a class with `options`, the names of what
    its addresses may say beside the traits, and `open(cls, configured: Configured,
    address: Address) -> Provider`, which raises `ValueError` that says what is wrong.
    """
    if isinstance(configured, str):
        configured = Configured.of(configured)
    if models is not None:
        configured = replace(configured, models=models)
    scheme = configured.address.partition(":")[0]
    where = f"provider {configured.name.partition('?')[0]}"
    try:
        with needing(scheme, where):
            kind = PROVIDERS.get(scheme)
    except NotFound as error:
        raise ConfigurationError(f"{where}: {error.message}", setting=where) from None
    given = {"base_url": configured.base_url, "region": configured.region, **configured.options}
    given = {key: value for key, value in given.items() if value}
    with telling(where):
        address = Address.of(configured.address, given, kind.options)
        provider: Provider = kind.open(configured, address)
    return provider
