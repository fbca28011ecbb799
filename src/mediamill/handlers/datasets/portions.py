"""Members of an archive in portions: read ahead of those before them, within a bound of bytes."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from mediamill.core.errors import LimitExceeded, MediamillError
from mediamill.handlers.datasets.bringing import TOGETHER, Bringing, Looked
from mediamill.media.archive.read import Member, open_member
from mediamill.media.privacy.cutting import cut_bytes
from mediamill.operations.work import Source

PORTION_BYTES, MOST_BYTES = 16 << 20, 64 << 20
"""Of the members of a portion that has several, and of one member."""


@dataclass
class Portion:
    """Some members on their way into a project."""

    start: int
    """The place of the first of them."""
    members: Sequence[Member]
    coming: list[Bringing] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    """Classes that folders say, by file."""
    failed: list[tuple[str, MediamillError]] = field(default_factory=list)
    """Members that could not be read, by path."""
    aside: list[str] = field(default_factory=list)
    """Members that describe images, rather than being some."""
    looked: Looked | None = None

    @property
    def end(self) -> int:
        return self.start + len(self.members)

    @property
    def size(self) -> int:
        """Return how many bytes it has when all of it is read."""
        return sum(one.size for one in self.members if one.size <= MOST_BYTES)


def portions(members: Sequence[Member], start: int) -> Iterator[Portion]:
    """Divide members, of which the first has a place, by number and bytes, always the same way."""
    some: list[Member] = []
    size = 0
    for one in members:
        if some and (len(some) == TOGETHER or size + one.size > PORTION_BYTES):
            yield Portion(start, some)
            start, some, size = start + len(some), [], 0
        some.append(one)
        size += one.size
    if some:
        yield Portion(start, some)


class Held:
    """The bytes of portions that are in memory: `most`, or one portion that is larger."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._fewer = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait until there is room for so many more."""
        while self._bytes and self._bytes + size > self._most:
            self._fewer.clear()
            await self._fewer.wait()
        self._bytes += size

    def give(self, size: int) -> None:
        """Say that so many are not held any more."""
        self._bytes -= size
        self._fewer.set()


@dataclass(frozen=True)
class Reading:
    """Reads members of an archive; with `cut` without metadata. Blocking."""

    source: Source
    cut: bool

    def all(self, some: Sequence[Member]) -> list[bytes | MediamillError]:
        """Return for each member its bytes, or why they cannot be had."""
        with self.source.open() as stream:
            return [self._one(stream, one) for one in some]

    def _one(self, stream: BinaryIO, one: Member) -> bytes | MediamillError:
        if one.size > MOST_BYTES:
            message = f"A member may have at most {MOST_BYTES:,} bytes: upload it by itself."
            return LimitExceeded(message)
        try:
            data = open_member(stream, one).read(one.size + 1)  # without a size it takes 8 kB steps
            return cut_bytes(data, one.name) if self.cut else data
        except MediamillError as error:
            return error
