"""Plan a zip without some of its members: which bytes are copied, which are written anew.

What is kept stays as it was packed: compressed bytes, time stamps, modes, comments. Local headers
and data move forward together; only the offsets in the directory change. A member that is listed
under another name than its record has (a double, say) gets the listed name for good, because its
number would otherwise change with its neighbours.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

from mediamill.core.errors import Conflict, LimitExceeded
from mediamill.media.archive.directory import Directory, Record, locate, records
from mediamill.media.archive.names import safe_path
from mediamill.media.archive.read import MAX_MEMBERS, data_offsets, member_names
from mediamill.media.archive.records import (
    CENTRAL_FORMAT,
    DESCRIPTOR_FLAG,
    EXTRA64,
    LIMIT32,
    LOCAL_FORMAT,
    UTF8_FLAG,
    end_records,
)

_DESCRIPTOR = 24
"""Bytes of the longest data descriptor: signature, CRC-32 and two ZIP64 sizes."""

Piece = tuple[int, int] | bytes
"""A range of the old zip, or bytes."""


@dataclass(frozen=True)
class Removal:
    """What the new zip is made of, in order, and which of the wanted paths were found."""

    pieces: list[Piece]
    removed: frozenset[str]
    left: int
    """Members that stay."""


def plan(stream: BinaryIO, paths: Collection[str], max_members: int = MAX_MEMBERS) -> Removal:
    """Plan the removal of the members that are listed under these paths.

    Raises what `read_members` raises, `Conflict` when no member would stay, `LimitExceeded` in the
    rare case that a longer name pushes a member beyond 4 GB in a zip without ZIP64.
    """
    directory = locate(stream, max_members)
    found = list(records(stream, directory, keep_raw=True))
    plain = [record for record in found if not (record.is_folder or record.is_special)]
    listed = dict(zip(map(id, plain), member_names(plain), strict=True))
    removed = frozenset(paths) & frozenset(listed.values())
    left = len(listed) - len(removed)
    if removed and not left:
        raise Conflict("These are all its members: delete the file itself instead.")
    kept = [record for record in found if listed.get(id(record)) not in removed]
    pieces = _Pieces(stream, found, directory)
    for record in sorted(kept, key=lambda record: record.offset):
        pieces.copy(record, _new_name(record, listed.get(id(record))))
    return Removal(pieces.finish(kept, directory.comment), removed, left)


def _new_name(record: Record, listed: str | None) -> bytes | None:
    """Return the name a record gets, None while its own says the same."""
    return None if listed in {None, safe_path(record.name)} else str(listed).encode()


class _Pieces:
    """The new zip in the making."""

    def __init__(self, stream: BinaryIO, found: list[Record], directory: Directory) -> None:
        self._stream = stream
        self._starts = data_offsets(stream, found, directory.offset)
        offsets = sorted(record.offset for record in found)
        self._next = dict(zip(offsets, [*offsets[1:], directory.offset], strict=True))
        self._pieces, self._position = list[Piece](), 0
        self._central: dict[int, bytes] = {}

    def copy(self, record: Record, name: bytes | None) -> None:
        """Take a record's header and data over; its record is kept for the directory."""
        at, start = self._position, self._starts[record.offset]
        if name is None:
            self._range(record.offset, start)
        else:
            self._bytes(self._local(record, name, start))
        stop = start + record.compressed_size
        if record.flags & DESCRIPTOR_FLAG:
            stop = min(stop + _DESCRIPTOR, self._next[record.offset])
        self._range(start, stop)
        self._central[id(record)] = moved(record, at, name)

    def finish(self, kept: list[Record], comment: bytes) -> list[Piece]:
        """Add the directory, in its old order, and the end records."""
        begin = self._position
        for record in kept:
            self._bytes(self._central[id(record)])
        end = end_records(len(kept), self._position - begin, begin)
        self._bytes(end[:-2] + struct.pack("<H", len(comment)) + comment)
        return self._pieces

    def _local(self, record: Record, name: bytes, start: int) -> bytes:
        self._stream.seek(record.offset)
        head = self._stream.read(start - record.offset)
        fields = list(LOCAL_FORMAT.unpack_from(head))
        extra = head[LOCAL_FORMAT.size + fields[9] :]
        fields[2], fields[9] = fields[2] | UTF8_FLAG, len(name)
        return LOCAL_FORMAT.pack(*fields) + name + extra

    def _range(self, start: int, stop: int) -> None:
        self._position += stop - start
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, tuple) and last[1] == start:
            self._pieces[-1] = last[0], stop
        elif start < stop:
            self._pieces.append((start, stop))

    def _bytes(self, data: bytes) -> None:
        self._position += len(data)
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, bytes) and len(last) + len(data) < 1 << 16:
            self._pieces[-1] = last + data
        else:
            self._pieces.append(data)


def moved(record: Record, offset: int, name: bytes | None) -> bytes:
    """Return a record of the directory that points to another offset, maybe by another name."""
    fields = list(CENTRAL_FORMAT.unpack_from(record.raw))
    names, extras = CENTRAL_FORMAT.size, CENTRAL_FORMAT.size + fields[10]
    old_name, rest = record.raw[names:extras], bytearray(record.raw[extras:])
    if fields[16] == LIMIT32:
        _set_wide_offset(rest, fields, offset)
    elif offset >= LIMIT32:
        raise LimitExceeded("the zip is too large to be changed; pack it anew")
    else:
        fields[16] = offset
    if name is not None:
        fields[3], fields[10] = fields[3] | UTF8_FLAG, len(name)
    return CENTRAL_FORMAT.pack(*fields) + (old_name if name is None else name) + bytes(rest)


def _set_wide_offset(rest: bytearray, fields: list[int], offset: int) -> None:
    """Write an offset into the ZIP64 field, behind the sizes that are in it."""
    position, before = 0, 8 * (fields[8:10].count(LIMIT32))
    while position + 4 <= fields[11]:
        kind, size = struct.unpack_from("<HH", rest, position)
        if kind == EXTRA64:
            struct.pack_into("<Q", rest, position + 4 + before, offset)
            return
        position += 4 + size
