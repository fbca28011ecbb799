"""Doorbells that misbehave in the ways that a broker may: what they say must not matter."""

import asyncio
import random

from mediamill.adapters.brokers.port import Doorbell, Ear
from mediamill.store.port import Action, Put, Store
from mediamill.store.repositories.units import Unit


class Over:
    """Does what another doorbell does, which may be of any kind."""

    def __init__(self, bell: Doorbell) -> None:
        self.bell = bell
        self._chance = random.Random(4)

    async def ring(self, channel: str) -> None:
        await self.bell.ring(channel)

    def listen(self, *channels: str) -> Ear:
        return self.bell.listen(*channels)

    async def close(self) -> None:
        await self.bell.close()


class Across(Over):
    """Rings one doorbell and listens at another, as two processes do."""

    def __init__(self, bell: Doorbell, other: Doorbell) -> None:
        super().__init__(bell)
        self.other = other

    def listen(self, *channels: str) -> Ear:
        return self.other.listen(*channels)

    async def close(self) -> None:
        await super().close()
        await self.other.close()


class Doubling(Over):
    """Rings twice, the second time a little later."""

    def __init__(self, bell: Doorbell) -> None:
        super().__init__(bell)
        self._later: set[asyncio.Task[None]] = set()

    async def ring(self, channel: str) -> None:
        await super().ring(channel)
        later = asyncio.ensure_future(self._again(channel))
        self._later.add(later)
        later.add_done_callback(self._later.discard)

    async def _again(self, channel: str) -> None:
        await asyncio.sleep(0.01)
        await super().ring(channel)


class Shuffling(Over):
    """Rings in another order, and too late; a third of the rings only with the next one."""

    def __init__(self, bell: Doorbell) -> None:
        super().__init__(bell)
        self._kept: list[str] = []

    async def ring(self, channel: str) -> None:
        self._kept.append(channel)
        self._chance.shuffle(self._kept)
        while self._kept and self._chance.random() > 1 / 3:
            await super().ring(self._kept.pop())


class Dropping(Over):
    """Loses this part of all rings."""

    part = 0.2

    async def ring(self, channel: str) -> None:
        if self._chance.random() >= self.part:
            await super().ring(channel)


class Dead(Dropping):
    """Loses all rings."""

    part = 1.0


class Prompt(Over):
    """Waits until whoever was woken has looked, before the caller goes on."""

    async def ring(self, channel: str) -> None:
        await super().ring(channel)
        await asyncio.sleep(0.02)


class Hasty(Prompt):
    """Rings before the row is written instead of after it: a planted fault."""

    def __init__(self, bell: Doorbell, store: Store) -> None:
        super().__init__(bell)
        self._write = store.transact
        store.transact = self._transact

    async def ring(self, channel: str) -> None:
        if not channel.startswith("work:"):
            await super().ring(channel)

    async def _transact(self, *actions: Action) -> None:
        added = [a.record for a in actions if isinstance(a, Put) and isinstance(a.record, Unit)]
        for klass in {unit.klass for unit in added}:
            await super().ring(f"work:{klass}")
        await self._write(*actions)
