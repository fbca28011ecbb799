"""What an operation is handed and what it hands back; a slot's process needs no more to begin."""

import hashlib
import io
import itertools
import os
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
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

    def readall(self) -> bytes:
        """Read what is left at a stroke; by default that goes 8 kB at a time."""
        parts = []
        while part := os.pread(
            self._descriptor, max(0, self._size - self._position), self._offset + self._position
        ):
            parts.append(part)
            self._position += len(part)
        return b"".join(parts)

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
    `annotations` (`ImageAnnotations.encode`) and `split` are those of its project; `partners` are
    other inputs of the set, for an operation that asks for some. `crc32` is that of a member of an
    archive, until it is `verified`.
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
    annotations: bytes = b""
    split: str = ""
    partners: "tuple[Source, ...]" = ()
    crc32: int | None = None

    def open(self) -> BinaryIO:
        """Open an independent, seekable, buffered reader of the whole input."""
        raw = RangeReader(self.descriptor, self.offset, self.size)
        return io.BufferedReader(raw, buffer_size=1 << 17)

    def head(self, size: int) -> bytes:
        """Read the first bytes, so many if there are."""
        return os.pread(self.descriptor, min(size, self.size), self.offset)

    def read(self) -> bytes:
        """Read the whole input into memory."""
        with self.open() as stream:
            data = stream.read()
        if len(data) != self.size:
            raise BrokenMedia(f"{self.name} is shorter than recorded", size=self.size)
        return data

    def verified(self) -> "Source":
        """Return a member of an archive with the SHA-256 of its bytes; all else as it is.

        Raises `BrokenMedia` where the bytes have another CRC-32 than the archive says.
        """
        if self.crc32 is None:
            return self
        digest, found, size = hashlib.sha256(), 0, 0
        with self.open() as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                found, size = zlib.crc32(chunk, found), size + len(chunk)
        if (size, found) != (self.size, self.crc32):
            raise BrokenMedia(f"{self.name} is not what its archive says; the archive is damaged.")
        return replace(self, sha256=digest.hexdigest(), crc32=None)


@dataclass(frozen=True)
class SourceFacts:
    """What is known about an input before it is opened; for `Operation.cost` and for limits.

    What is 0 or empty is not known, or there is none. `rate` is in frames a second, on average;
    those of a `steady` video last equally long, by its headers.
    """

    media_type: str
    size: int
    width: int = 0
    height: int = 0
    duration: float = 0.0
    rate: float = 0.0
    steady: bool = False
    split: str = ""


class Sure(StrEnum):
    """How far a number can be relied on, the surest first."""

    EXACT = "exact"
    AT_MOST = "at_most"
    ABOUT = "about"

    def joined(self, other: "Sure") -> "Sure":
        """Return what holds of a number that comes of two."""
        return max(self, other, key=[*Sure].index)


@dataclass(frozen=True)
class Expected:
    """What an input is expected to become: how many, and what will be known of the largest."""

    count: int
    facts: SourceFacts
    sure: Sure = Sure.EXACT


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
    annotations: bytes = b""
    """What is marked on it (`ImageAnnotations.encode`); empty for nothing."""


@dataclass(frozen=True)
class Measure:
    """What one input of a set is, and what was measured of it; one line of what `reduce` reads.

    `images` has an entry for each picture, several for a video: what `measure_picture` returned,
    with `info`, what the picture knew of itself (`width`, `height`, a frame's `pts` …). An input
    that could not be measured has `error`, its `code` and `message`, and no images. Those of a long
    video are not all in memory: go through them.
    """

    item: int
    file: str
    """Id of the file; the path in a local run."""
    name: str
    path: str = ""
    """Place in the archive `file`; empty for the whole file."""
    sha256: str = ""
    media_type: str = ""
    size: int = 0
    split: str = ""
    group: str = ""
    images: Collection[dict[str, Any]] = ()
    reference: bool = False
    """Whether the step named it to compare the set with, of which it is none itself."""
    error: dict[str, str] | None = None


@dataclass(frozen=True)
class Outcome:
    """What one input became: files, and/or data such as a caption; `report` goes to the lineage."""

    files: tuple[Output, ...] = ()
    data: Mapping[str, Any] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[int, str] = field(default_factory=dict)
    """Partners that could not be used, by their place, and why: it is not what it would be with
    them."""


_BUFFER = 1 << 16
"""Small writes are joined up to here; a megabyte took a third of a millisecond to be had."""


class OutputWriter(io.RawIOBase):
    """Write a new scratch file while taking its SHA-256, CRC-32 and size. Append-only."""

    def __init__(self, path: Path, name: str, media_type: str) -> None:
        self._file = path.open("xb", buffering=_BUFFER)
        self._path, self._name, self._media_type = path, name, media_type
        self._sha256, self._crc32, self._size = hashlib.sha256(), 0, 0
        self.info: dict[str, Any] = {}
        self.annotations = b""

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
            annotations=self.annotations,
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
    agreed: Mapping[str, Any] | None = None
    """What the step's own `reduce` found over the whole set; None where it does not survey."""
    agreements: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """What each of the call's steps agreed on, by the `id` of the operation."""
    partners: Sequence[Callable[[], Any]] = ()
    """Decode other pictures of the set, brought through the steps before this one: as many as the
    step's `partners` asks for, fewer where the set has no more. Each raises what decoding does:
    a broken one is to be left out, it fails as an input of its own."""
    left_out: dict[int, str] = field(default_factory=dict)
    """Partners of the item at hand that raised something, by their place, and what."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def of(self, step: object, **changes: Any) -> "Context":
        """Return the context as one step sees it: with what was agreed for it."""
        return replace(self, agreed=self.agreements.get(id(step)), **changes)

    def progress(self, fraction: float) -> None:
        """Report that `fraction` (0…1) of this input is done; cheap enough to call per frame."""
        self.report_progress(min(1.0, max(0.0, fraction)))

    @contextmanager
    def output(self, name: str, media_type: str) -> Iterator[OutputWriter]:
        """Open a new output; the file is removed again when the block raises."""
        path = self.scratch / f"output-{next(self._numbers)}"
        writer = OutputWriter(path, name, media_type)
        try:
            yield writer
        except BaseException:
            writer.close()
            path.unlink(missing_ok=True)
            raise
        writer.close()
