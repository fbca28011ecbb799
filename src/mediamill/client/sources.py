"""What can be uploaded: bytes that are read from any place on, and again."""

import errno
import hashlib
import io
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

CHUNK = 1 << 18

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes have passed and how many there are in all; 0 where nobody knows."""


class Source(Protocol):
    """Bytes that come to a server as a file."""

    @property
    def name(self) -> str:
        """Return the name that the file is to have."""

    @property
    def size(self) -> int:
        """Return its length in bytes."""

    @property
    def sha256(self) -> str:
        """Return what is known of its digest before it is read; empty for nothing."""

    def read(self, start: int) -> Iterator[bytes]:
        """Yield the bytes from `start` on; fewer than announced are an `OSError`."""


@dataclass(frozen=True)
class FileSource:
    """A file of this machine, as long as it was when it was named; raises `OSError`."""

    path: Path
    name: str
    size: int
    sha256: str = ""

    @classmethod
    def of(cls, path: Path, name: str = "") -> "FileSource":
        """Measure a file; its digest is read only where it is needed."""
        return cls(path, name or spelled(path.name), path.stat().st_size)

    def digested(self) -> "FileSource":
        """Return the file with its SHA-256."""
        with self.path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return FileSource(self.path, self.name, self.size, sha256)

    def read(self, start: int) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            yield from _rest(stream, start, self.size)


@dataclass(frozen=True)
class BytesSource:
    """Bytes in memory."""

    content: bytes
    name: str

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def read(self, start: int) -> Iterator[bytes]:
        return _rest(io.BytesIO(self.content), start, self.size)


@dataclass(frozen=True)
class StreamSource:
    """An open file that can be sought; it is read from its beginning, and stays open."""

    stream: BinaryIO
    name: str
    size: int
    sha256: str = ""

    @classmethod
    def of(cls, stream: BinaryIO, name: str) -> "StreamSource":
        """Measure a stream; raises `io.UnsupportedOperation` for one that cannot be sought."""
        return cls(stream, name, stream.seek(0, io.SEEK_END))

    def read(self, start: int) -> Iterator[bytes]:
        return _rest(self.stream, start, self.size)


def _rest(stream: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    stream.seek(start)
    while start < stop and (chunk := stream.read(min(CHUNK, stop - start))):
        start += len(chunk)
        yield chunk


def source_of(given: "Source | str | Path | bytes | BinaryIO", name: str) -> Source:
    """Return what was given as a source.

    Raises `OSError` for a file that cannot be read, `TypeError` for what is none of these.
    """
    name = spelled(name)
    if isinstance(given, str | Path):
        return FileSource.of(Path(given), name)
    if isinstance(given, bytes | bytearray | memoryview):
        return BytesSource(bytes(given), name or "upload")
    if _sought(given):
        shown = name or spelled(Path(str(getattr(given, "name", "upload"))).name)
        return StreamSource.of(cast("BinaryIO", given), shown)
    if not all(hasattr(given, each) for each in ("name", "size", "sha256", "read")):
        raise TypeError(f"A {type(given).__name__} is no path, bytes, open file or Source.")
    return cast("Source", given)


def body_of(given: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of a request, with its headers; a file is read from where it stands."""
    if isinstance(given, str):
        given = given.encode()
    if isinstance(given, bytearray | memoryview):
        given = bytes(given)
    if not isinstance(given, bytes) and _sought(given):
        start = given.tell()
        source = StreamSource.of(given, "")
        given = Part(source, start, max(0, source.size - start))
        headers = {"Content-Length": str(given.size), **headers}
    return {"content": given, "headers": headers}


def _sought(given: Any) -> bool:
    """Tell whether something is an open file; raises `TypeError` for one that gives text."""
    if not (hasattr(given, "seek") and hasattr(given, "read")):
        return False
    if not isinstance(given.read(0), bytes):
        raise TypeError("The file is open for text: open it with the mode “rb”.")
    return True


LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters that stand for no byte of a file name either."""


def spelled(name: str) -> str:
    """Write a file name that is no UTF-8 with `�` for what cannot be read."""
    return LONE.sub("�", name).encode(errors="surrogateescape").decode(errors="replace")


class Counter:
    """Turns offsets into progress: bytes that are sent twice count once."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance, self._shown, self._at, self._reached = advance, 0, 0, 0

    def add(self, count: int) -> None:
        self._at += count
        self._show()

    def reach(self, offset: int) -> bool:
        """Go on from an offset that the server has; True when that is progress."""
        more, self._at = offset > self._reached, offset
        self._reached = max(offset, self._reached)
        self._show()
        return more

    def begin_anew(self) -> None:
        """Count from the first byte again; what was shown stays shown."""
        self._at = self._reached = 0

    def _show(self) -> None:
        if self._at > self._shown:
            self._advance(self._at - self._shown)
            self._shown = self._at


@dataclass(frozen=True)
class Part:
    """Some bytes of a source as the body of a request; told how many of them have left."""

    source: Source
    start: int
    size: int
    sent: Callable[[int], None] = field(default=lambda _: None)
    begun: Callable[[int], object] = field(default=lambda _: None)
    """Told where it begins each time that it does."""

    def __iter__(self) -> Iterator[bytes]:
        self.begun(self.start)
        with closing(self.pieces()) as pieces:
            for data in pieces:
                yield data
                self.sent(len(data))

    def pieces(self) -> Generator[bytes, None, None]:
        """Yield the bytes and tell nobody; raises `OSError` when there are fewer of them."""
        left = self.size
        if not left:
            return
        with closing(_closable(self.source.read(self.start))) as chunks:
            for chunk in chunks:
                data = chunk[:left]
                yield data
                left -= len(data)
                if not left:
                    return
        raise OSError(errno.EIO, "became shorter while it was sent", self.source.name)


def _closable(chunks: Iterator[bytes]) -> Any:
    return chunks if hasattr(chunks, "close") else (chunk for chunk in chunks)
