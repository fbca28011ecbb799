"""Doorbells between tasks of one process; other processes find work by looking."""

from mediamill.adapters.brokers.ears import Ear, Ears
from mediamill.core.errors import ConfigurationError


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
        self._ears = Ears()

    async def ring(self, channel: str) -> None:
        self._ears.ring(channel)

    def listen(self, *channels: str) -> Ear:
        return self._ears.listen(*channels)

    async def close(self) -> None:
        self._ears.clear()


plugin = InProcessDoorbell
