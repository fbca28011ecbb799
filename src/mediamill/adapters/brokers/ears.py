"""Who listens in this process: what every doorbell hands rings to."""

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Self


class Ear:
    """An event that is set while its channels are registered."""

    def __init__(
        self, ears: dict[str, set["Ear"]], channels: tuple[str, ...], came: asyncio.Event
    ) -> None:
        self._ears, self._channels, self._came = ears, channels, came
        self.event = asyncio.Event()

    def __enter__(self) -> Self:
        for channel in self._channels:
            self._ears[channel].add(self)
        self._came.set()
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


class Ears:
    """The listeners of a process by channel."""

    def __init__(self) -> None:
        self._ears: dict[str, set[Ear]] = defaultdict(set)
        self.came = asyncio.Event()
        """Set when somebody begins to listen."""

    def ring(self, channel: str) -> None:
        """Wake whoever listens to a channel."""
        for ear in self._ears.get(channel, ()):
            ear.event.set()

    def ring_all(self) -> None:
        """Wake everybody, for what they may have missed."""
        for channel in [*self._ears]:
            self.ring(channel)

    def hears(self, prefix: str) -> bool:
        """Tell whether anybody listens to a channel that begins so."""
        return any(channel.startswith(prefix) for channel in self._ears)

    def listen(self, *channels: str) -> Ear:
        """Listen to some channels."""
        return Ear(self._ears, channels, self.came)

    def clear(self) -> None:
        """Forget everybody."""
        self._ears.clear()
