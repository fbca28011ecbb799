"""List the members of a zip and read each by itself, without unpacking the rest.

Folders are no members. Links, devices, pipes and sockets are left out: nothing here follows or
makes them. What is listed has a safe, unique name, whatever the zip says.
"""

import io
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from mediamill.core.errors import BrokenMedia, LimitExceeded, UnsupportedMedia
from mediamill.media.archive.directory import STORED, Record, locate, records
from mediamill.media.archive.names import Names, safe_path
from mediamill.media.archive.records import DESCRIPTOR_FLAG, LIMIT32, LOCAL, LOCAL_FORMAT

DEFLATED = 8
MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 4 << 30
MAX_PATH = 1000
"""UTF-8 bytes of a member's path; its outer folders go first, so that every path fits a URL."""

FREE_BYTES = 1 << 30
MAX_RATIO = 100
"""A zip may unpack to a gigabyte, or to so many times its own size; text rarely reaches 30."""

DEFLATE_RATIO = 1032
"""The most that deflate can do; a record that promises more lies."""

METHODS = {
    1: "shrunk", 6: "imploded", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard",
    95: "XZ", 98: "PPMd", 99: "AES encryption",
}  # fmt: skip
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a zip; `name` is safe and unique, `offset` is where its data starts."""

    name: str
    size: int
    compressed_size: int
    method: int
    crc32: int
    offset: int

    @property
    def stored(self) -> bool:
        """Tell whether its bytes lie in the zip as they are."""
        return self.method == STORED


def read_members(stream: BinaryIO, max_members: int = MAX_MEMBERS) -> list[Member]:
    """Return the files of the zip in the order of its directory.

    Raises `BrokenMedia` for what is no zip or contradicts itself (overlaps, data outside the file,
    a local header that says something else), `UnsupportedMedia` for encryption and several disks,
    `LimitExceeded` for more than `max_members` records and for a bomb. How a member is compressed
    is not judged before it is opened.
    """
    return scan(stream, max_members)[0]


def scan(stream: BinaryIO, max_members: int = MAX_MEMBERS) -> tuple[list[Member], int]:
    """Return the members as `read_members` does, and how many links and devices were left out."""
    directory = locate(stream, max_members)
    found = [record for record in records(stream, directory) if not record.is_folder]
    offsets = data_offsets(stream, found, directory.offset)
    refuse_bombs(found, directory.offset)
    plain = [record for record in found if not record.is_special]
    members = [
        Member(
            name, record.size, record.compressed_size, record.method, record.crc32,
            offsets[record.offset],
        )
        for record, name in zip(plain, member_names(plain), strict=True)
    ]  # fmt: skip
    return members, len(found) - len(plain)


def member_names(plain: Iterable[Record]) -> Iterator[str]:
    """Yield the names that records are listed under: safe, unique, short enough for a URL."""
    names = Names()
    return (names.claim(_short(safe_path(record.name))) for record in plain)


def _short(path: str) -> str:
    while len(path.encode()) > MAX_PATH and "/" in path:
        path = path.partition("/")[2]
    return path


def refuse_bombs(found: Iterable[Record], size: int) -> None:
    """Raise for records that promise more than deflate can do, or more than is sensible."""
    total = 0
    for record in found:
        total += record.size
        if record.method == DEFLATED and record.size > DEFLATE_RATIO * (record.compressed_size + 8):
            message = "a member promises more bytes than its data can hold"
            raise BrokenMedia(message, member=safe_path(record.name))
    if total > max(FREE_BYTES, MAX_RATIO * size):
        message = (
            f"the zip would unpack to {total:,} bytes, more than {MAX_RATIO} times its own size; "
            "send its files by themselves"
        )
        raise LimitExceeded(message)


def open_member(
    stream: BinaryIO, member: Member, max_bytes: int = MAX_MEMBER_BYTES
) -> io.BufferedReader:
    """Open the contents of a member, read in order and checked against its size and CRC-32.

    Reading raises `BrokenMedia` where the data is not what the directory says. Raises
    `LimitExceeded` at once when the member is larger than `max_bytes`.
    """
    if member.size > max_bytes:
        raise LimitExceeded(f"{member.name} has {member.size} bytes, more than {max_bytes}")
    raw = _MemberReader(stream, member)
    return io.BufferedReader(raw, buffer_size=_CHUNK)


def data_offsets(stream: BinaryIO, found: list[Record], end: int) -> dict[int, int]:
    """Return where each record's data starts, having shown that no two share a byte."""
    offsets, position = {}, 0
    stream = getattr(stream, "raw", stream)  # a buffer would read far more than a header
    for record in sorted(found, key=lambda record: record.offset):
        if record.offset < position:
            raise BrokenMedia("members of the zip overlap", member=safe_path(record.name))
        start = _data_offset(stream, record) if record.offset < end else end + 1
        position = start + record.compressed_size
        if position > end:
            raise BrokenMedia("a member lies outside the zip", member=safe_path(record.name))
        offsets[record.offset] = start
    return offsets


def _data_offset(stream: BinaryIO, record: Record) -> int:
    stream.seek(record.offset)
    head = stream.read(LOCAL_FORMAT.size + len(record.raw_name))
    if len(head) < LOCAL_FORMAT.size or head[:4] != LOCAL:
        raise BrokenMedia("a member has no local header", member=safe_path(record.name))
    _, _, flags, method, _, _, crc32, compressed, size, name_size, extra_size = (
        LOCAL_FORMAT.unpack_from(head)
    )
    if name_size != len(record.raw_name) or head[LOCAL_FORMAT.size :] != record.raw_name:
        raise BrokenMedia("a member has two different names", member=safe_path(record.name))
    told = (crc32, compressed, size)
    known = (record.crc32, min(record.compressed_size, LIMIT32), min(record.size, LIMIT32))
    agree = all(a in {b, LIMIT32} for a, b in zip(told, known, strict=True))
    if method != record.method or not (agree or flags & DESCRIPTOR_FLAG):
        message = "the local header of a member and the directory contradict each other"
        raise BrokenMedia(message, member=safe_path(record.name))
    return int(record.offset + LOCAL_FORMAT.size + name_size + extra_size)


def unreadable(member: Member) -> UnsupportedMedia:
    """Say why a member cannot be read and what to do."""
    method = METHODS.get(member.method, f"method {member.method}")
    return UnsupportedMedia(
        f"{member.name} is compressed with {method}; only stored and deflated members are read "
        "here. Pack the archive anew without that.",
        method=member.method,
    )


class _MemberReader(io.RawIOBase):
    """The contents of one member; never gives more bytes than the directory promised."""

    def __init__(self, stream: BinaryIO, member: Member) -> None:
        if member.method not in {STORED, DEFLATED}:
            raise unreadable(member)
        self._stream, self._member = stream, member
        self._position, self._end = member.offset, member.offset + member.compressed_size
        self._inflate = None if member.stored else zlib.decompressobj(-zlib.MAX_WBITS)
        self._left, self._crc32 = member.size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        chunk = self._more(min(len(view), _CHUNK))
        if len(chunk) > self._left or (not chunk and self._left):
            raise BrokenMedia(f"{self._member.name} has another size than the zip says")
        self._left -= len(chunk)
        self._crc32 = zlib.crc32(chunk, self._crc32)
        if not self._left and self._crc32 != self._member.crc32:
            raise BrokenMedia(f"{self._member.name} has another CRC-32 than the zip says")
        view[: len(chunk)] = chunk
        return len(chunk)

    def _more(self, size: int) -> bytes:
        if self._inflate is None:
            return self._raw(size)
        while not self._inflate.eof:
            data = self._inflate.unconsumed_tail or self._raw(_CHUNK)
            try:
                chunk = self._inflate.decompress(data, size)
            except zlib.error as error:
                raise BrokenMedia(f"{self._member.name} cannot be inflated") from error
            if chunk or not data:
                return chunk
        return b""

    def _raw(self, size: int) -> bytes:
        self._stream.seek(self._position, os.SEEK_SET)
        chunk = self._stream.read(min(size, self._end - self._position))
        self._position += len(chunk)
        return chunk
