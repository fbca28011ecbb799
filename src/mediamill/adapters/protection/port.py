"""The port of protection: whoever ends workers that are too many is told which one has work."""

from typing import Protocol


class Protection(Protocol):
    """Has this process left running while it has work."""

    asked: bool
    """Whether there is anybody to be told."""

    async def protect(self, seconds: int) -> None:
        """Have this process not be ended for being one too many, for so long at most.

        Said again it lasts so long from then on. Raises `Unavailable`: then nothing has changed.
        """

    async def release(self) -> None:
        """Say that this process may be ended; raises `Unavailable`. It may be said at any time."""

    async def close(self) -> None:
        """Release connections; it is not used afterwards."""
