"""A file made of parts of another: what is kept, what is written anew, what is blanked.

Parts come in the order of the file that they are of, so one pass over it gives the new one.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

Part = tuple[int, int] | bytes | int
"""Bytes `start … stop` of the file, or other bytes, or so many zeros."""

Reader = Callable[[int, int], AsyncIterator[bytes]]
"""Stream bytes `start … stop` of the file."""

MAX_PARTS = 5_000
MAX_STEPS = 1_000_000
"""Segments, chunks or blocks that are looked at."""
WINDOW, BLANK = 1 << 16, 1 << 16


class Uncut(Exception):
    """The file is not built as it should be, so nobody knows what of it is metadata."""


class Scan:
    """Reads anywhere in a file, a bounded number of times."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.size, self._stream = size, stream
        self._begin, self._data, self._steps = 0, b"", 0

    def read(self, at: int, count: int) -> bytes:
        """Return exactly these bytes; raises `Uncut` when there are fewer, or it takes too long."""
        self._steps += 1
        if at < 0 or count < 0 or at + count > self.size or self._steps > MAX_STEPS:
            raise Uncut
        low = at - self._begin
        if not 0 <= low <= low + count <= len(self._data):
            self._stream.seek(at)
            self._begin, low = at, 0
            self._data = self._stream.read(min(max(count, WINDOW), self.size - at))
        if low + count > len(self._data):
            raise Uncut
        return self._data[low : low + count]

    def number(self, at: int, count: int) -> int:
        """Return a number, its high byte first."""
        return int.from_bytes(self.read(at, count))


@dataclass(frozen=True)
class Cut:
    """A file without its metadata."""

    parts: tuple[Part, ...]
    size: int
    whole: bool
    """Whether it is the file as it is."""


class Parts:
    """Parts in the making."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def keep(self, start: int, stop: int) -> None:
        """Take bytes of the file over; they are behind all that were taken before."""
        last = self._parts[-1] if self._parts else None
        if isinstance(last, tuple) and last[1] == start:
            self._parts[-1] = last[0], stop
        elif start < stop:
            self._parts.append((start, stop))

    def write(self, data: bytes) -> None:
        """Write other bytes."""
        self._parts.append(data)

    def blank(self, count: int) -> None:
        """Write zeros."""
        if count:
            self._parts.append(count)

    def mark(self) -> int:
        """Return a place at which something may be written later."""
        self._parts.append(b"")
        return len(self._parts) - 1

    def write_at(self, mark: int, data: bytes) -> None:
        """Write bytes at a place that was marked."""
        self._parts[mark] = data

    @property
    def size(self) -> int:
        return sum(map(length, self._parts))

    def cut(self, scan: Scan) -> Cut:
        """Return what was made; raises `Uncut` for too many parts."""
        merged = Parts()
        for part, room in zip(self._parts, self._following(scan.size), strict=True):
            if isinstance(part, tuple):
                merged.keep(*part)
            elif length(part) and not merged._same(part, scan, room):
                merged._parts.append(part)
        if len(merged._parts) > MAX_PARTS:
            raise Uncut
        whole = merged._parts == [(0, scan.size)]
        return Cut(tuple(merged._parts), merged.size, whole)

    def _following(self, size: int) -> list[int]:
        """Return for each part where what is taken over after it begins."""
        found = list[int]()
        for part in reversed(self._parts):
            found.append(size)
            size = part[0] if isinstance(part, tuple) else size
        return found[::-1]

    def _same(self, part: bytes | int, scan: Scan, room: int) -> bool:
        """Take bytes over instead of writing the same at this place; tell whether that is so."""
        last = self._parts[-1] if self._parts else (0, 0)
        if not isinstance(last, tuple) or (end := last[1] + length(part)) > room:
            return False
        for at in range(last[1], end, WINDOW):
            there = scan.read(at, min(WINDOW, end - at))
            if there != (
                bytes(len(there)) if isinstance(part, int) else part[at - last[1] :][:WINDOW]
            ):
                return False
        self.keep(last[1], end)
        return True


class Overlay:
    """A file of the same size, blank where nothing is kept or put."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[int, int]] = []
        self._put: list[tuple[int, bytes]] = []

    def keep(self, start: int, stop: int) -> None:
        """Take bytes over; those beyond the end are not there."""
        if start < 0:
            raise Uncut
        if start < min(stop, self._size):
            self._kept.append((start, min(stop, self._size)))

    def put(self, at: int, data: bytes) -> None:
        """Write bytes at a place where nothing else is kept or put, else `parts` raises `Uncut`."""
        self._put.append((at, data))

    def parts(self) -> Parts:
        """Return what it is made of; a single byte between two parts that are kept fills up."""
        spans: list[list[int]] = []
        for start, stop in sorted(self._kept):
            if spans and start <= spans[-1][1] + 1:
                spans[-1][1] = max(stop, spans[-1][1])
            else:
                spans.append([start, stop])
        pieces = [(start, stop, b"") for start, stop in spans]
        pieces += [(at, at + len(data), data) for at, data in self._put]
        made, at = Parts(), 0
        for start, stop, data in sorted(pieces):
            if start < at or stop > self._size:
                raise Uncut
            made.blank(start - at)
            if data:
                made.write(data)
            else:
                made.keep(start, stop)
            at = stop
        made.blank(self._size - at)
        return made


def length(part: Part) -> int:
    """Return how many bytes a part has."""
    if isinstance(part, tuple):
        return part[1] - part[0]
    return part if isinstance(part, int) else len(part)


def within(parts: Sequence[Part], start: int, stop: int) -> Iterator[Part]:
    """Yield what bytes `start … stop` of the new file are made of."""
    at = 0
    for part in parts:
        low, high = max(start, at) - at, min(stop, at + length(part)) - at
        if low < high:
            if isinstance(part, tuple):
                yield part[0] + low, part[0] + high
            elif isinstance(part, int):
                yield high - low
            else:
                yield part[low:high]
        at += length(part)
        if at >= stop:
            return


async def stream(
    read: Reader, parts: Sequence[Part], start: int, stop: int
) -> AsyncIterator[bytes]:
    """Produce bytes `start … stop` of the new file, by one read of the old one."""
    wanted = list(within(parts, start, stop))
    ranges = [part for part in wanted if isinstance(part, tuple)]
    chunks = read(ranges[0][0], ranges[-1][1]) if ranges else None
    at, chunk = ranges[0][0] if ranges else 0, b""
    try:
        for part in wanted:
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, int):
                for begin in range(0, part, BLANK):
                    yield bytes(min(BLANK, part - begin))
            else:
                low, high = part
                while low < high:
                    while chunks is not None and at + len(chunk) <= low:
                        at += len(chunk)
                        chunk = await anext(chunks, b"")
                        if not chunk:
                            return  # there are fewer bytes than there were: who serves notices
                    piece = chunk[low - at : high - at]
                    low += len(piece)
                    yield piece
    finally:
        if chunks is not None and hasattr(chunks, "aclose"):
            await chunks.aclose()
