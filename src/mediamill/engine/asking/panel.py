"""The providers that can be asked: opened once, kept while they are as they were set up."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.fallback import agreed
from mediamill.adapters.providers.port import Batches, Provider, Traits
from mediamill.adapters.providers.prices import Price, Prices
from mediamill.core.errors import MediamillError, ProviderRefused
from mediamill.engine.asking.gate import Bounds

Named = tuple[str, str]
"""A provider as a job keeps it: its name and its address."""


@dataclass(frozen=True)
class Opened:
    """A provider that can be asked, and what it costs; None where nobody knows."""

    provider: Provider
    configured: Configured
    price: Price | None

    @property
    def batches(self) -> Batches:
        """Return the provider as one that takes batches; raises `TypeError` where it does not."""
        if not isinstance(self.provider, Batches):
            raise TypeError(f"{self.provider.name} takes no batches")
        return self.provider


@dataclass
class Panel:
    """Opens providers; two that are set up alike are one."""

    open: Callable[[Configured], Provider]
    prices: Prices
    _opened: dict[str, Opened] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def seat(self, configured: Configured) -> Opened:
        """Return a provider, opened anew if it is set up otherwise than before.

        Raises `ConfigurationError`, or what opening it does.
        """
        async with self._lock:
            known = self._opened.get(configured.name)
            if known is not None and _alike(known.configured, configured):
                return known
            provider = self.open(configured)
            if known is not None:
                await known.provider.close()
            opened = Opened(provider, configured, self.prices.of(configured))
            self._opened[configured.name] = opened
            return opened

    def bounds(self, name: str) -> Bounds:
        """Return what a provider bears."""
        opened = self._opened.get(name)
        if opened is None:
            return Bounds()
        return Bounds(opened.configured.concurrency, opened.configured.per_minute)

    async def close(self) -> None:
        for opened in self._opened.values():
            await opened.provider.close()
        self._opened.clear()


def _alike(one: Configured, other: Configured) -> bool:
    return one == other and one.key == other.key


async def seated(panel: Panel, chain: Sequence[Configured]) -> list[Opened]:
    """Return those of a chain that can be opened; raises the first's error where none can."""
    found, errors = list[Opened](), list[MediamillError]()
    for configured in chain:
        try:
            found.append(await panel.seat(configured))
        except MediamillError as error:
            errors.append(error)
    if not found:
        raise errors[0] if errors else ProviderRefused("No provider is set up for this.")
    return found


def traits_of(chain: Sequence[Opened]) -> Traits:
    """Return what every provider of a chain can be asked; kinds: what one of them can."""
    return agreed([opened.provider.traits for opened in chain])
