"""Rings that wait for the server: bounded, whatever comes, by ringing everybody instead."""

import asyncio

EVERYBODY = "*"
"""The channel on which all listeners of all processes are rung."""
MOST_WAITING = 10_000
"""Channels that are kept."""
LONGEST_NAME = 100
"""Bytes of a channel that is sent; ours are shorter."""


class Outbox:
    """Rings that the server does not have yet."""

    def __init__(self) -> None:
        self._channels: dict[str, None] = {}
        self._filled = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while nothing waits and nothing is being sent."""
        self.idle.set()

    def __len__(self) -> int:
        return len(self._channels)

    def add(self, *channels: str) -> None:
        """Take rings; those that wait already are not doubled."""
        sound = all(len(name.encode()) <= LONGEST_NAME and "\n" not in name for name in channels)
        self._channels |= dict.fromkeys(channels if sound else [EVERYBODY])
        if len(self._channels) > MOST_WAITING:
            self._channels = {EVERYBODY: None}
        self._filled.set()
        self.idle.clear()

    async def take(self, most: int) -> list[str]:
        """Wait for rings and take out some; `add` them again if they cannot be sent."""
        if not self._channels:
            self.idle.set()
        await self._filled.wait()
        some = list(self._channels)[:most]
        for channel in some:
            del self._channels[channel]
        if not self._channels:
            self._filled.clear()
        return some
