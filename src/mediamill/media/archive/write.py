"""Write a stored (not deflated) zip to a stream that only knows how to append."""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from mediamill.media.archive.names import Names, safe_path
from mediamill.media.archive.records import Entry, central_header, end_records, local_header


class Appendable(Protocol):
    """Whatever takes bytes one after the other."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True)
class Member:
    """What was written: the name it got, its digests, and where its data starts in the zip."""

    name: str
    size: int
    crc32: int
    offset: int
    sha256: str = ""


class ArchiveWriter:
    """A zip in the making. Names become safe and unique; the same calls give the same bytes.

    Memory grows by a directory entry per member, never by its data. Use it as a context manager:
    leaving the block normally writes the directory, an exception leaves the zip unfinished.
    """

    def __init__(self, stream: Appendable) -> None:
        self._stream, self._position = stream, 0
        self._names, self._entries = Names(), list[Entry]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()

    def add(self, name: str, data: bytes, sha256: str | None = None) -> Member:
        """Append a member that is in memory; its SHA-256 is taken unless the caller knows it."""
        digest = hashlib.sha256(data).hexdigest() if sha256 is None else sha256
        entry = self._begin(name, len(data), zlib.crc32(data))
        offset = self._position
        self._write(data)
        return Member(entry.name.decode(), entry.size, entry.crc32, offset, digest)

    def add_chunks(self, name: str, chunks: Iterable[bytes], size: int, crc32: int) -> Member:
        """Append a member of known size and CRC-32 from its pieces.

        Raises `ValueError` when the pieces do not fit what was announced; the zip is then void.
        """
        entry = self._begin(name, size, crc32)
        offset, seen, actual = self._position, 0, 0
        digest = hashlib.sha256()
        for chunk in chunks:
            seen, actual = seen + len(chunk), zlib.crc32(chunk, actual)
            digest.update(chunk)
            self._write(chunk)
        if (seen, actual) != (size, crc32):
            raise ValueError(f"{name} has another size or CRC-32 than announced")
        return Member(entry.name.decode(), size, crc32, offset, digest.hexdigest())

    def close(self) -> None:
        """Write the central directory and the end records."""
        start = self._position
        for entry in self._entries:
            self._write(central_header(entry))
        self._write(end_records(len(self._entries), self._position - start, start))

    def _begin(self, name: str, size: int, crc32: int) -> Entry:
        taken = self._names.claim(safe_path(name))
        entry = Entry(taken.encode(), size, crc32, self._position)
        self._entries.append(entry)
        self._write(local_header(entry))
        return entry

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._position += len(data)
