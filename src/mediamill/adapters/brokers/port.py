"""Doorbells: a ring says "look at the store", and nothing else.

A ring may be lost, doubled or late at no cost but latency: everything that listens also looks by
itself now and then. Channels are `work:{class}`, `job:{id}` and `jobs:{owner}`. A ring on the first
is for who works, in any process; one on the others is for who watches, and may stay in the process
that rings where a broker cannot reach all: who watches looks each second.
"""

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from mediamill.core.sourced import Sourced


class Ear(Protocol):
    """A listener on some channels, open inside its `with` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def clear(self) -> None:
        """Forget earlier rings; call it before looking, so that a ring meanwhile is kept."""

    async def wait(self, seconds: float) -> bool:
        """Wait for a ring since `clear`; False when the time ran out."""


class Doorbell(Protocol):
    """Rings channels and listens to them."""

    async def ring(self, channel: str) -> None:
        """Wake whoever listens to a channel; never fails and never waits for them."""

    def listen(self, *channels: str) -> Ear:
        """Listen to some channels."""

    async def close(self) -> None:
        """Stop listening and ringing."""


@runtime_checkable
class Follows(Protocol):
    """A doorbell whose address, with a password in it, may change while it runs."""

    def follow(self, url: Sourced, store_url: Sourced) -> None:
        """Connect with the address as it is then, and look it up anew when it is refused."""


@runtime_checkable
class Served(Protocol):
    """A doorbell that goes through a server."""

    connected: bool | None
    """Whether the server is there now; None before anybody rang or listened."""
    trouble: str
    """Why it is not, without any secret; empty while nothing is known."""


@runtime_checkable
class Delivers(Protocol):
    """A doorbell that hands rings to a server after `ring` has returned."""

    async def delivered(self, seconds: float) -> bool:
        """Wait until the server has all rings; False when the time ran out."""
