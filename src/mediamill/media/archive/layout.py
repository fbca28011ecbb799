"""A zip that is never stored: a list of members, each pointing at bytes that exist elsewhere.

The list (a *layout*) fixes every byte of the zip, so its length is known before it is sent, its
hash is a strong entity tag, and any range of it can be produced alone, in constant memory.

On disk a layout is JSON lines, one array per member: name, size, CRC-32, blob, offset in the blob,
and the parts of the blob that it is made of where that is not one range of it.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from mediamill.media.archive.records import Entry, central_header, end_records, local_header
from mediamill.media.privacy.parts import Part
from mediamill.media.privacy.parts import stream as pieced

GATHERED = 1 << 19
"""Bytes that are put together before they are handed on: a copy costs less than a message."""

SMALL = 1 << 17
"""A member with fewer bytes is read together with its neighbours."""

NEARBY = 1 << 20
"""Bytes read at once where a small member lies, as its neighbours are mostly wanted next."""


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A member of the zip and where its bytes are."""

    name: str
    size: int
    crc32: int
    blob: str
    offset: int = 0

    def entry(self, at: int) -> Entry:
        return Entry(self.name.encode(), self.size, self.crc32, at)


class Pieced(Member, frozen=True, array_like=True):
    """A member that is made of parts of its blob."""

    parts: tuple[Part, ...] = ()


@dataclass
class Summary:
    """Takes members one by one; knows the length of their zip, in bytes, and its entity tag."""

    count: int = 0
    body: int = 0
    directory: int = 0

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, member: Member) -> bytes:
        """Count a member; return its line of the layout."""
        entry = member.entry(self.body)
        self.count += 1
        self.body += len(local_header(entry)) + member.size
        self.directory += len(central_header(entry))
        line = msgspec.json.encode(member) + b"\n"
        self._hash.update(line)
        return line

    @property
    def size(self) -> int:
        return self.body + self.directory + len(self._end())

    @property
    def etag(self) -> str:
        return self._hash.hexdigest()[:40]

    def _end(self) -> bytes:
        return end_records(self.count, self.directory, self.body)


def parse(line: bytes) -> Member:
    """Read one line of a layout."""
    found = msgspec.json.decode(line, type=Pieced)
    if found.parts:
        return found
    return Member(found.name, found.size, found.crc32, found.blob, found.offset)


Blob = Callable[[str, int, int], AsyncIterator[bytes]]
"""Stream bytes `start … stop` of a blob."""

Reader = Callable[[int, int], AsyncIterator[bytes]]
"""Stream bytes `start … stop` of something."""

Lines = Callable[[], AsyncIterator[Member]]
"""Go through a layout from its beginning."""


def stream(members: Lines, blob: Blob, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    """Produce bytes `start … stop` (end excluded) of the zip that a layout describes."""
    return gathered(_pieces(members, Nearby(blob).read, start, stop))


async def gathered(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Put pieces together until they are `GATHERED` bytes."""
    some, size = list[bytes](), 0
    async with aclosing(pieces):
        async for piece in pieces:
            some.append(piece)
            size += len(piece)
            if size >= GATHERED:
                yield b"".join(some)
                some, size = [], 0
    if some:
        yield b"".join(some)


def data_of(member: Member, blob: Blob, start: int, stop: int) -> AsyncIterator[bytes]:
    """Produce bytes `start … stop` of a member."""
    if isinstance(member, Pieced):
        return pieced(lambda low, high: blob(member.blob, low, high), member.parts, start, stop)
    return blob(member.blob, member.offset + start, member.offset + stop)


class Nearby:
    """Reads of small members, by one read for those that lie together in a blob.

    What was read of two blobs is kept: texts that lie together may alternate with small pictures.
    """

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._kept: dict[str, tuple[int, bytes]] = {}

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Stream bytes `start … stop` of a blob."""
        if stop - start >= SMALL:
            async for chunk in self._blob(key, start, stop):
                yield chunk
            return
        begin, data = self._kept.pop(key, (0, b""))
        if not begin <= start <= stop <= begin + len(data):
            begin = start
            data = b"".join([c async for c in self._blob(key, start, start + NEARBY)])
        while len(self._kept) > 1:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = begin, data
        yield data[start - begin : stop - begin]


async def _pieces(members: Lines, blob: Blob, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    window = Window(start, stop)
    position = 0
    async for member in members():
        header = local_header(member.entry(position))
        for piece in window.cut(position, header):
            yield piece
        begin = position + len(header)
        low, high = window.within(begin, begin + member.size)
        if low < high:
            async for chunk in data_of(member, blob, low - begin, high - begin):
                yield chunk
        position = begin + member.size
        if position >= stop:
            return
    async for piece in _directory(members, window, position):
        yield piece


async def _directory(members: Lines, window: "Window", body: int) -> AsyncIterator[bytes]:
    """Produce the part of the central directory and the end records that is in the window."""
    at, position, count = 0, body, 0
    async for member in members():
        entry = member.entry(at)
        record = central_header(entry)
        for piece in window.cut(position, record):
            yield piece
        at += len(local_header(entry)) + member.size
        position += len(record)
        count += 1
    for piece in window.cut(position, end_records(count, position - body, body)):
        yield piece


@dataclass(frozen=True)
class Window:
    """The wanted range of a stream."""

    start: int
    stop: int

    def within(self, begin: int, end: int) -> tuple[int, int]:
        """Intersect bytes `begin … end` of the stream with the window."""
        return max(begin, self.start), min(end, self.stop)

    def cut(self, begin: int, data: bytes) -> Iterator[bytes]:
        """Yield what the window shows of `data`, which stands at `begin`."""
        low, high = self.within(begin, begin + len(data))
        if low < high:
            yield data[low - begin : high - begin]
