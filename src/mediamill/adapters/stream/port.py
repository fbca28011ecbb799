"""The stream port: messages of topics come in partitions, each in order, and again after a crash.

A partition belongs to one process of a group at a time. Whoever takes it says where it left off
(`Taker.begin`), is handed messages (`take`), confirms at times that the topic is still the one that
it was (`Stream.confirm`), and says how far all is settled (`commit`). Before a partition goes to
another process its taker finishes what it has begun (`drain`); what was not finished comes again,
there. So a message may come twice, also at the same time in two processes that do not know of each
other: a taker keeps its own books.

A topic that was deleted and made again has another `topic_id`, and its offsets begin anew.

Errors: `Unavailable` while the brokers cannot be reached, `ConfigurationError` for what will not
change by itself. No client library's error comes out.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mediamill.core.sourced import Sourced

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A partition of a topic, told apart from those that had its name before."""

    cluster: str
    topic: str
    topic_id: str
    number: int

    @property
    def source(self) -> str:
        """What no other topic ever has."""
        return f"{self.cluster}/{self.topic_id}"


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic is, whatever its name: its id, and that of its cluster."""

    cluster: str
    id: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `time` is when it was written, in milliseconds."""

    part: Part
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    time: int = 0

    @property
    def size(self) -> int:
        """Bytes that it holds in memory, about."""
        return len(self.value or b"") + len(self.key or b"") + 500


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be written."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()


class Taker(Protocol):
    """Who the messages are for; called on the loop that runs the stream."""

    async def begin(self, parts: Sequence[Part]) -> Mapping[Part, int]:
        """Prepare to take these; return the first offset of each that is not settled yet."""

    def take(self, messages: Sequence[Message]) -> None:
        """Take the next messages of any partitions, those of each in order.

        `Stream.release` gives their room back once they are done with.
        """

    async def drain(self, parts: Sequence[Part]) -> Mapping[Part, int]:
        """Finish what was begun of these, and take no more; return the offsets to commit."""

    def drop(self, parts: Sequence[Part]) -> None:
        """Stop at once: these belong to another process already."""


@runtime_checkable
class Follows(Protocol):
    """A backend that goes on with another password."""

    def follow(self, url: Sourced) -> None:
        """Look the address up there from now on."""


class Publisher(Protocol):
    """Writes messages."""

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Write messages, durable on return; raises `Unavailable` when some may not be written.

        Raises `LimitExceeded` for one that its topic does not take, the others being written as far
        as `details["refused"]`, their places, does not say otherwise.
        """

    async def require(self, topics: Sequence[str]) -> None:
        """See to it that these topics are there; raises `ConfigurationError`."""

    async def identify(self, topics: Sequence[str]) -> Mapping[str, Topic]:
        """Return what those of these topics are that are there."""

    async def between(self, part: Part, first: int | None, until: int) -> Sequence[Message]:
        """Return what there is of a partition from an offset up to before another, in order.

        Where that is much it is the first of it; nothing means that there is nothing any more.
        Without a `first` it begins where a new group does. Raises `Unavailable`.
        """

    async def close(self) -> None:
        """Let go of the connections."""


class Origin(Protocol):
    """Where messages come from, as far as is asked when they are settled."""

    async def confirm(self, part: Part) -> bool:
        """Tell whether all that came of a partition up to now is of its topic.

        If not it was made anew: a stream then hands its partitions out again by itself.
        """

    async def bury(self, part: Part, messages: Sequence[Outgoing], settled: int) -> None:
        """Write messages and commit an offset of their partition, both or none.

        Readers of committed messages see each once, whatever dies. Raises `Unavailable`; trying
        again is harmless. Raises `Conflict` when the partition belongs to another process by now.
        """


class Stream(Origin, Protocol):
    """The topics of one group's member."""

    async def run(self, taker: Taker, stop: asyncio.Event) -> None:
        """Hand over messages until `stop`, then drain, commit and leave the group."""

    def release(self, messages: Sequence[Message]) -> None:
        """Give back the room of messages; where there is none, their partition is paused."""

    def commit(self, offsets: Mapping[Part, int]) -> None:
        """Note that everything before these offsets is settled, some time soon.

        What is known already costs nothing; what fails is done when it is said again. What the
        group has, or gets with a letter, is never set back.
        """

    async def behind(self, part: Part) -> int | None:
        """Return the offset that the next message of a partition will have, as far as known."""
