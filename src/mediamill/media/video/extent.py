"""Tell whether a video file is cut off, from what its container says about its own length."""

import os
import struct
from typing import BinaryIO

_MAX_BOXES = 100_000
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def is_cut(stream: BinaryIO) -> bool:
    """Tell whether the file ends before its container does.

    Known for MP4 and QuickTime (boxes, ISO/IEC 14496-12, 4.2), Matroska and WebM (the segment's
    size, RFC 8794, 6) and AVI (RIFF). Streams of packets announce no length and are never cut.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if len(head) < 12:
        return False
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 > size
    if head[:4] == _EBML.to_bytes(4, "big"):
        return _cut_matroska(stream, size)
    return head[4:8].isalnum() and _cut_boxes(stream, size)


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
