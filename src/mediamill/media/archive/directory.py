"""Find and parse the central directory of a zip (APPNOTE 6.3.10, 4.3.12 to 4.3.16)."""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mediamill.core.errors import BrokenMedia, LimitExceeded, UnsupportedMedia
from mediamill.media.archive.records import (
    CENTRAL,
    CENTRAL_FORMAT,
    ENCRYPTED_FLAGS,
    END,
    END64,
    END64_FORMAT,
    END_FORMAT,
    EXTRA64,
    EXTRA_NAME,
    LIMIT16,
    LIMIT32,
    LOCATOR64,
    LOCATOR64_FORMAT,
    UTF8_FLAG,
)

STORED = 0
_UNIX_MAKERS = frozenset({3, 19})
"""Hosts whose records carry a Unix mode: Unix, and OS X (4.4.2.2)."""

_SPECIAL = frozenset({stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK})

_MAX_COMMENT = 0xFFFF
MAX_DIRECTORY = 48 << 20
"""Bytes of a directory: 250 for each of 200,000 members; most need half of that."""


@dataclass(frozen=True)
class Directory:
    """Where the central directory is and how many records it announces."""

    offset: int
    size: int
    count: int
    comment: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the directory; `offset` is that of the local header."""

    raw_name: bytes
    name: str
    method: int
    crc32: int
    size: int
    compressed_size: int
    offset: int
    flags: int = 0
    mode: int = 0
    """File type and permissions as Unix has them; 0 where the record does not say."""
    raw: bytes = b""
    """The record as it stands in the directory; kept where it is asked for."""

    @property
    def is_folder(self) -> bool:
        """Tell whether the record names a folder."""
        return self.raw_name.endswith((b"/", b"\\")) or stat.S_ISDIR(self.mode)

    @property
    def is_special(self) -> bool:
        """Tell whether it is a link, a device, a pipe or a socket."""
        return stat.S_IFMT(self.mode) in _SPECIAL


def locate(stream: BinaryIO, max_members: int) -> Directory:
    """Find the central directory by the records at the end of the zip."""
    length = stream.seek(0, os.SEEK_END)
    start = max(0, length - END_FORMAT.size - _MAX_COMMENT)
    stream.seek(start)
    tail = stream.read(length - start)
    at = _end_position(tail)
    _, disk, first_disk, here, count, size, offset, _ = END_FORMAT.unpack_from(tail, at)
    end = start + at
    if LIMIT16 in {here, count} or LIMIT32 in {size, offset} or _has_locator(stream, end):
        narrow = disk, first_disk, here, count, size, offset
        *wide, end = _locate64(stream, end)
        if any(a not in {b, LIMIT16, LIMIT32} for a, b in zip(narrow, wide, strict=True)):
            raise BrokenMedia("the two end records of the zip contradict each other")
        disk, first_disk, here, count, size, offset = wide
    if disk or first_disk or here != count:
        raise UnsupportedMedia("the zip is split over several files; pack it as one")
    if count > max_members:
        raise LimitExceeded(f"the zip has {count} members, more than {max_members}")
    if offset + size < end:
        raise BrokenMedia("the zip does not begin where it says; cut off what stands before it")
    if offset + size != end or size < count * CENTRAL_FORMAT.size:
        raise BrokenMedia("the directory of the zip is not where the zip says")
    if size > MAX_DIRECTORY:
        raise LimitExceeded(f"the directory of the zip has {size:,} bytes; pack less in one zip")
    return Directory(offset, size, count, tail[at + END_FORMAT.size :])


def _end_position(tail: bytes) -> int:
    at = len(tail)
    while (at := tail.rfind(END, 0, at)) >= 0:
        if at + END_FORMAT.size <= len(tail):
            comment = END_FORMAT.unpack_from(tail, at)[-1]
            if at + END_FORMAT.size + comment == len(tail):
                return at
    raise BrokenMedia("the zip has no end record: it is cut off, or something follows it")


def _has_locator(stream: BinaryIO, end: int) -> bool:
    stream.seek(max(0, end - LOCATOR64_FORMAT.size))
    return stream.read(len(LOCATOR64)) == LOCATOR64


def _locate64(stream: BinaryIO, end: int) -> tuple[int, int, int, int, int, int, int]:
    """Return disk, first disk, counts, size, offset and position of the ZIP64 end record."""
    locator = _read_at(stream, end - LOCATOR64_FORMAT.size, LOCATOR64_FORMAT.size)
    signature, _, position, _ = LOCATOR64_FORMAT.unpack(locator)
    if signature != LOCATOR64:
        raise BrokenMedia("the zip announces ZIP64 records and has none")
    fields = END64_FORMAT.unpack(_read_at(stream, position, END64_FORMAT.size))
    if fields[0] != END64:
        raise BrokenMedia("the ZIP64 end record is not where the zip says")
    disk, first_disk, here, count, size, offset = fields[4:]
    return disk, first_disk, here, count, size, offset, position


def records(stream: BinaryIO, directory: Directory, *, keep_raw: bool = False) -> Iterator[Record]:
    """Yield the records of the directory, refusing encryption and cut records."""
    data = _read_at(stream, directory.offset, directory.size)
    position = 0
    for _ in range(directory.count):
        record, position = _record(data, position, keep_raw=keep_raw)
        yield record
    if position != len(data):
        raise BrokenMedia("the zip has more or fewer members than it says")


def _record(data: bytes, position: int, *, keep_raw: bool) -> tuple[Record, int]:
    names = position + CENTRAL_FORMAT.size
    if names > len(data) or data[position : position + 4] != CENTRAL:
        raise BrokenMedia("the directory of the zip is damaged")
    fields = CENTRAL_FORMAT.unpack_from(data, position)
    flags, method, crc32, compressed, size = fields[3], fields[4], *fields[7:10]
    name_size, extra_size, comment_size, offset = *fields[10:13], fields[16]
    end = names + name_size + extra_size + comment_size
    if end > len(data):
        raise BrokenMedia("the directory of the zip is damaged")
    if flags & ENCRYPTED_FLAGS:
        raise UnsupportedMedia("the zip is encrypted; pack it without a password")
    raw_name = data[names : names + name_size]
    extra = data[names + name_size : names + name_size + extra_size]
    size, compressed, offset = _widen(extra, size, compressed, offset)
    if method == STORED and size != compressed:
        raise BrokenMedia("a stored member has two different sizes")
    mode = fields[15] >> 16 if fields[1] >> 8 in _UNIX_MAKERS else 0
    name = _name(raw_name, flags, extra)
    raw = data[position:end] if keep_raw else b""
    return Record(raw_name, name, method, crc32, size, compressed, offset, flags, mode, raw), end


def _name(raw: bytes, flags: int, extra: bytes) -> str:
    """Decode a name: by the UTF-8 flag, the Unicode field, as UTF-8 if it is, else as DOS did.

    The field (Info-ZIP's 0x7075) counts only while its CRC-32 is that of the name beside it. Many
    programs write UTF-8 and forget the flag; text in code page 437 is next to never valid UTF-8.
    """
    if raw.isascii():
        return raw.decode()
    field = _extra_field(extra, EXTRA_NAME)
    if len(field) > 5 and field[0] == 1 and field[1:5] == struct.pack("<I", zlib.crc32(raw)):
        return field[5:].decode(errors="replace")
    if flags & UTF8_FLAG:
        return raw.decode(errors="replace")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _widen(extra: bytes, *numbers: int) -> tuple[int, ...]:
    """Return the numbers with each that does not fit 32 bits taken from the ZIP64 field."""
    if LIMIT32 not in numbers:
        return numbers
    wide = iter(_zip64_field(extra))
    result = [next(wide, -1) if number == LIMIT32 else number for number in numbers]
    if -1 in result:
        raise BrokenMedia("a member lacks its ZIP64 field")
    return tuple(result)


def _zip64_field(extra: bytes) -> list[int]:
    field = _extra_field(extra, EXTRA64)
    count = len(field) // 8
    return list(struct.unpack_from(f"<{count}Q", field))


def _extra_field(extra: bytes, wanted: int) -> bytes:
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        if kind == wanted and position + 4 + size <= len(extra):
            return extra[position + 4 : position + 4 + size]
        position += 4 + size
    return b""


def _read_at(stream: BinaryIO, offset: int, size: int) -> bytes:
    if offset < 0:
        raise BrokenMedia("the zip points outside itself")
    try:
        stream.seek(offset)
    except (OverflowError, OSError) as error:
        raise BrokenMedia("the zip points outside itself") from error
    data = stream.read(size)
    if len(data) != size:
        raise BrokenMedia("the zip points outside itself")
    return data
