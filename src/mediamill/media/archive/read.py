"""List the members of a zip and read each by itself, without unpacking the rest."""

import io
import os
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

from mediamill.core.errors import BrokenMedia, LimitExceeded, UnsupportedMedia
from mediamill.media.archive.directory import STORED, Record, locate, records
from mediamill.media.archive.names import Names, safe_path
from mediamill.media.archive.records import LOCAL, LOCAL_FORMAT

DEFLATED = 8
MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 4 << 30
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
    """Return the files of the zip in the order of its directory; folders are left out.

    Raises `BrokenMedia` for what is no zip or contradicts itself (overlaps, data outside the file,
    a local header that names another file), `UnsupportedMedia` for encryption, several disks and
    methods other than stored and deflated, `LimitExceeded` for more than `max_members` records.
    """
    directory = locate(stream, max_members)
    found = [record for record in records(stream, directory) if not record.is_folder]
    offsets = _data_offsets(stream, found, directory.offset)
    names = Names()
    return [
        Member(
            names.claim(safe_path(record.name)), record.size, record.compressed_size,
            record.method, record.crc32, offsets[record.offset],
        )
        for record in found
    ]  # fmt: skip


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


def _data_offsets(stream: BinaryIO, found: list[Record], end: int) -> dict[int, int]:
    """Return where each record's data starts, having shown that no two share a byte."""
    offsets, position = {}, 0
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
    head = stream.read(LOCAL_FORMAT.size)
    if len(head) < LOCAL_FORMAT.size or head[:4] != LOCAL:
        raise BrokenMedia("a member has no local header", member=safe_path(record.name))
    *_, name_size, extra_size = LOCAL_FORMAT.unpack(head)
    if stream.read(name_size) != record.raw_name:
        raise BrokenMedia("a member has two different names", member=safe_path(record.name))
    return int(record.offset + LOCAL_FORMAT.size + name_size + extra_size)


class _MemberReader(io.RawIOBase):
    """The contents of one member; never gives more bytes than the directory promised."""

    def __init__(self, stream: BinaryIO, member: Member) -> None:
        if member.method not in {STORED, DEFLATED}:
            raise UnsupportedMedia(f"{member.name} is compressed in an unknown way")
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
