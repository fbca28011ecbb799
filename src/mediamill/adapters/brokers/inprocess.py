"""Doorbells between tasks of one process; other processes find work by looking."""

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Self

from mediamill.core.errors import ConfigurationError


class InProcessEar:
    """An event that is set while its channels are registered."""

    def __init__(self, ears: dict[str, set["InProcessEar"]], channels: tuple[str, ...]) -> None:
        self._ears, self._channels = ears, channels
        self.event = asyncio.Event()

    def __enter__(self) -> Self:
        for channel in self._channels:
            self._ears[channel].add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for channel in self._channels:
            self._ears[channel].discard(self)
            if not self._ears[channel]:
                del self._ears[channel]

    def clear(self) -> None:
        self.event.clear()

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.event.wait()
        except TimeoutError:
            return False
        return True


class InProcessDoorbell:
    """The embedded default: `inprocess:`."""

    @classmethod
    def open(cls, url: str, store_url: str) -> "InProcessDoorbell":
        """Make one; raises `ConfigurationError` for anything after the colon."""
        if url.partition(":")[2]:
            message = "MEDIAMILL_BROKER_URL: `inprocess:` takes nothing after the colon."
            raise ConfigurationError(message, setting="MEDIAMILL_BROKER_URL")
        return cls()

    def __init__(self) -> None:
        self._ears: dict[str, set[InProcessEar]] = defaultdict(set)

    async def ring(self, channel: str) -> None:
        for ear in self._ears.get(channel, ()):
            ear.event.set()

    def ring_all(self) -> None:
        """Wake everybody, for what they may have missed."""
        for ears in self._ears.values():
            for ear in ears:
                ear.event.set()

    def listen(self, *channels: str) -> InProcessEar:
        return InProcessEar(self._ears, channels)

    async def close(self) -> None:
        self._ears.clear()


plugin = InProcessDoorbell
