"""What an operation is handed and what it hands back; a slot's process needs no more to begin."""

import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from mediamill.core.errors import BrokenMedia


class RangeReader(io.RawIOBase):
    """Read bytes `offset … offset + size` of an open descriptor; position is the reader's own."""

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        self._descriptor, self._offset, self._size, self._position = descriptor, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        count = max(0, min(len(view), self._size - self._position))
        read = os.preadv(self._descriptor, [view[:count]], self._offset + self._position)
        self._position += read
        return read


@dataclass(frozen=True)
class Source:
    """One input of an operation: a range of an open descriptor and what is known about it.

    `width`, `height` (pixels, after orientation) and `duration` (seconds) are 0 where unknown.
    """

    descriptor: int
    name: str
    media_type: str
    size: int
    sha256: str = ""
    offset: int = 0
    width: int = 0
    height: int = 0
    duration: float = 0.0

    def open(self) -> BinaryIO:
        """Open an independent, seekable, buffered reader of the whole input."""
        raw = RangeReader(self.descriptor, self.offset, self.size)
        return io.BufferedReader(raw, buffer_size=1 << 17)

    def read(self) -> bytes:
        """Read the whole input into memory."""
        with self.open() as stream:
            data = stream.read()
        if len(data) != self.size:
            raise BrokenMedia(f"{self.name} is shorter than recorded", size=self.size)
        return data


@dataclass(frozen=True)
class SourceFacts:
    """What is known about an input before it is opened; for `Operation.cost` and for limits."""

    media_type: str
    size: int
    width: int = 0
    height: int = 0
    duration: float = 0.0


@dataclass(frozen=True)
class Output:
    """A file that an operation made, in its scratch folder, with digests taken while writing."""

    path: Path
    name: str
    media_type: str
    size: int
    sha256: str
    crc32: int
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one input became: files, and/or data such as a caption; `report` goes to the lineage."""

    files: tuple[Output, ...] = ()
    data: Mapping[str, Any] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


class OutputWriter(io.RawIOBase):
    """Write a new scratch file while taking its SHA-256, CRC-32 and size. Append-only."""

    def __init__(self, path: Path, name: str, media_type: str) -> None:
        self._file = path.open("xb", buffering=1 << 20)
        self._path, self._name, self._media_type = path, name, media_type
        self._sha256, self._crc32, self._size = hashlib.sha256(), 0, 0
        self.info: dict[str, Any] = {}

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._size += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    @property
    def output(self) -> Output:
        """Describe the finished file; valid once the writer is closed."""
        return Output(
            path=self._path,
            name=self._name,
            media_type=self._media_type,
            size=self._size,
            sha256=self._sha256.hexdigest(),
            crc32=self._crc32,
            info=dict(self.info),
        )


@dataclass
class Context:
    """What surrounds one call: where to write, how to report progress, how many threads to use."""

    scratch: Path
    report_progress: Callable[[float], None] = lambda fraction: None
    threads: int = 1
    seed: int = 0
    span: tuple[int, int] | None = None
    """The part that is wanted, as `MediaOperation.segments` gave it; None for the whole."""
    _count: int = 0

    def progress(self, fraction: float) -> None:
        """Report that `fraction` (0…1) of this input is done; cheap enough to call per frame."""
        self.report_progress(min(1.0, max(0.0, fraction)))

    @contextmanager
    def output(self, name: str, media_type: str) -> Iterator[OutputWriter]:
        """Open a new output; the file is removed again when the block raises."""
        self._count += 1
        path = self.scratch / f"output-{self._count}"
        writer = OutputWriter(path, name, media_type)
        try:
            yield writer
        except BaseException:
            writer.close()
            path.unlink(missing_ok=True)
            raise
        writer.close()
