"""Tell whether a video file is cut off, from what its container says about its own length."""

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

_MAX_BOXES = 100_000
_SEGMENT = 0x18538067
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_LARGEST_PAGE = 27 + 255 + 255 * 255


def is_cut(stream: BinaryIO) -> bool:
    """Tell whether the file ends before its container does.

    Known for MP4 and QuickTime (boxes, ISO/IEC 14496-12, 4.2), Matroska and WebM (the segment's
    size, RFC 8794, 6), AVI (RIFF) and ASF (the size in its file properties). Of transport streams
    (ISO/IEC 13818-1, 2.4.3.2) and Ogg (RFC 3533, 6) only the last packet or page can tell.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    for magic, rule in _RULES.items():
        if head.startswith(magic):
            return rule(stream, size)
    if _transport_packet(stream):
        return is_ragged(stream)
    return head[4:8].isalnum() and _cut_boxes(stream, size)


def is_ragged(stream: BinaryIO) -> bool:
    """Tell whether a transport stream ends inside a packet; the position is the start after."""
    unit = _transport_packet(stream)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return unit > 0 and size % unit != 0


def _cut_riff(stream: BinaryIO, size: int) -> bool:
    stream.seek(4)
    return int.from_bytes(stream.read(4), "little") + 8 > size


def _cut_boxes(stream: BinaryIO, size: int) -> bool:
    position = 0
    for _ in range(_MAX_BOXES):
        if position >= size:
            return position > size
        stream.seek(position)
        head = stream.read(16)
        if len(head) < 8:
            return True
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if length < 8:  # 0: the last box goes to the end, whatever that is
            return False
        position += length
    return False


def _cut_matroska(stream: BinaryIO, size: int) -> bool:
    position = 0
    for _ in range(16):
        stream.seek(position)
        head = stream.read(16)
        identifier, used = _number(head, keep_marker=True)
        length, more = _number(head[used:], keep_marker=False)
        if not used or not more:
            return False
        position += used + more + length
        if identifier == _SEGMENT:
            unknown = length == (1 << 7 * more) - 1
            return not unknown and position > size
    return False


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """Return an EBML variable-size integer and how many bytes it took; 0 bytes where none is."""
    if not data or not data[0]:
        return 0, 0
    width = 9 - data[0].bit_length()
    if width > len(data):
        return 0, 0
    value = int.from_bytes(data[:width], "big")
    return (value if keep_marker else value & ((1 << 7 * width) - 1)), width


def _cut_page(stream: BinaryIO, size: int) -> bool:
    stream.seek(max(0, size - _LARGEST_PAGE))
    tail = stream.read(_LARGEST_PAGE)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return 27 + page[26] + sum(page[27 : 27 + page[26]]) > len(page)


def _cut_asf(stream: BinaryIO, size: int) -> bool:
    stream.seek(0)
    head = stream.read(1 << 16)
    found = head.find(_FILE_PROPERTIES)
    if found < 0 or len(head) < found + 92:
        return False
    announced, flags = struct.unpack_from("<Q40xI", head, found + 40)
    return not flags & 1 and announced > size  # 1: made while broadcasting, nothing is known


def _transport_packet(stream: BinaryIO) -> int:
    """Return how long the packets of a transport stream are, or 0 where it is none."""
    stream.seek(0)
    head = stream.read(4 * 204)
    for length, first in ((188, 0), (192, 4), (204, 0)):
        if head[first : first + 4 * length : length] == b"G" * 4:
            return length
    return 0


_RULES: dict[bytes, Callable[[BinaryIO, int], bool]] = {
    b"RIFF": _cut_riff,
    b"\x1aE\xdf\xa3": _cut_matroska,
    b"OggS": _cut_page,
    b"\x30\x26\xb2\x75": _cut_asf,
}
