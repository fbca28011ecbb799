"""The providers that can be asked: opened once, kept while they are as they were set up.

    async with seated(panel, chain) as opened:
        answer = await opened[0].provider.ask(question, deadline)

One that was set up anew is opened anew. The one before is closed when the last who uses it has left
it: its calls go on, and are paid for once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.fallback import agreed
from mediamill.adapters.providers.port import Batches, Needing, Provider, Traits
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

    @property
    def identity(self) -> tuple[object, ...]:
        """By what it is known to be the same model in the same place (`engine/reuse.py`)."""
        one = self.configured
        options = sorted(one.options.items())
        return one.name, one.address, one.base_url, one.region, options, self.provider.model

    async def lacks(self) -> str:
        """Say what it needs on this machine before it can be asked; empty where it has that."""
        provider = self.provider
        return await asyncio.to_thread(provider.lacks) if isinstance(provider, Needing) else ""


@dataclass(eq=False)
class _Seat:
    """A provider that is open, and how many use it."""

    opened: Opened
    users: int = 0
    retired: bool = False
    """Whether another took its place: it is closed when nobody uses it."""

    @property
    def over(self) -> bool:
        return self.retired and not self.users


@dataclass
class Panel:
    """Opens providers; two that are set up alike are one."""

    open: Callable[[Configured], Provider]
    prices: Prices
    _seats: dict[str, _Seat] = field(default_factory=dict)
    _retired: set[_Seat] = field(default_factory=set)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def seat(self, configured: Configured) -> Opened:
        """Return a provider to be looked at; who asks it does so within `using`.

        Raises `ConfigurationError`, or what opening it does.
        """
        async with self._lock:
            return (await self._seat(configured)).opened

    @asynccontextmanager
    async def using(self, configured: Configured) -> AsyncIterator[Opened]:
        """Return a provider that stays open for the length of the block; raises what `seat` does.

        What it bears and costs is as it was set up when the block began.
        """
        async with self._lock:
            seat = await self._seat(configured)
            seat.users += 1
        opened = seat.opened
        try:
            yield opened
        finally:
            seat.users -= 1
            await self._close(seat)

    def bounds(self, name: str) -> Bounds:
        """Return what a provider bears."""
        seat = self._seats.get(name)
        if seat is None:
            return Bounds()
        return Bounds(seat.opened.configured.concurrency, seat.opened.configured.per_minute)

    async def close(self) -> None:
        """Close every provider, whoever uses it."""
        seats = [*self._seats.values(), *self._retired]
        self._seats.clear()
        self._retired.clear()
        for seat in seats:
            await seat.opened.provider.close()

    async def _seat(self, configured: Configured) -> _Seat:
        """Return where a provider is, opened anew if it is reached otherwise than before."""
        known = self._seats.get(configured.name)
        if known is not None and _alike(known.opened.configured, configured):
            if known.opened.configured != configured:
                price = self.prices.of(configured)
                known.opened = replace(known.opened, configured=configured, price=price)
            return known
        provider = self.open(configured)
        seat = _Seat(Opened(provider, configured, self.prices.of(configured)))
        self._seats[configured.name] = seat
        if known is not None:
            known.retired = True
            self._retired.add(known)
            await self._close(known)
        return seat

    async def _close(self, seat: _Seat) -> None:
        """Close a provider that was replaced, once, if nobody uses it any more."""
        if seat.over and seat in self._retired:
            self._retired.discard(seat)
            await seat.opened.provider.close()


def _alike(one: Configured, other: Configured) -> bool:
    """Tell whether calls go to the same place in the same way, whatever it bears and costs."""
    return _reached(one) == _reached(other) and one.key == other.key


def _reached(configured: Configured) -> Configured:
    return replace(configured, concurrency=1, per_minute=None, price=None)


@asynccontextmanager
async def seated(panel: Panel, chain: Sequence[Configured]) -> AsyncIterator[list[Opened]]:
    """Use those of a chain that can be opened; raises the first's error where none can be."""
    found, errors = list[Opened](), list[MediamillError]()
    async with AsyncExitStack() as stack:
        for configured in chain:
            try:
                found.append(await stack.enter_async_context(panel.using(configured)))
            except MediamillError as error:
                errors.append(error)
        if not found:
            raise errors[0] if errors else ProviderRefused("No provider is set up for this.")
        yield found


def traits_of(chain: Sequence[Opened]) -> Traits:
    """Return what a chain can be asked: what one of them can, pictures as small as all take."""
    return agreed([opened.provider.traits for opened in chain])
