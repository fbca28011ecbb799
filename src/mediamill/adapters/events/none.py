"""Events that go nowhere: `none:`. Webhooks have theirs all the same."""

from mediamill.core.errors import ConfigurationError
from mediamill.core.events import Snapshot


class NoEvents:
    takes = False

    @classmethod
    def open(cls, url: str) -> "NoEvents":
        """Make it; raises `ConfigurationError` for parameters."""
        if url != "none:":
            message = "MEDIAMILL_EVENTS_URL: write none: without more."
            raise ConfigurationError(message, setting="MEDIAMILL_EVENTS_URL")
        return cls()

    async def publish(self, event: Snapshot, owner: str) -> None:
        pass

    async def probe(self) -> None:
        return None

    async def close(self) -> None:
        pass


plugin = NoEvents
