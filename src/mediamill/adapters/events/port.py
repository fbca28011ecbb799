"""The port of events: somewhere that takes each of them, for anybody who subscribes there."""

from typing import Protocol

from mediamill.core.events import Snapshot


class Events(Protocol):
    """Takes events. One that is given again has the same id: who receives may see it twice."""

    takes: bool
    """Whether there is anybody; events that nobody takes are not made."""

    async def publish(self, event: Snapshot, owner: str) -> None:
        """Return once the event is safe there.

        Raises `Unavailable` for what may pass, a wrong permission too: it is tried again; and
        `InvalidInput` for an event that will never be taken.
        """

    async def probe(self) -> str | None:
        """Say what is there, None where nothing is; raises `Unavailable` that says why not."""

    async def close(self) -> None:
        """Release connections; it is not used afterwards."""
