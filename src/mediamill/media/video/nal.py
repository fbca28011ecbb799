"""Read what a packet of H.264 or HEVC says about itself, without decoding it.

From ITU-T H.264 (7.3.1, table 7-1) and H.265 (7.3.1.2, table 7-1). A packet is one access unit,
either length-prefixed (MP4, Matroska) or with start codes (transport streams).
"""

from collections.abc import Iterator
from dataclasses import dataclass

REFERENCE = 1
"""Some later picture may be predicted from it."""
ENTRY = 2
"""Decoding may start here: an IDR picture, or any HEVC intra random access point."""
SKIPPED_LEADING = 4
"""An HEVC RASL picture: undecodable when decoding starts at the entry before it."""
PICTURE = 8
"""The packet holds a picture at all."""

_START = b"\x00\x00\x01"
_H264_PICTURE, _H264_IDR, _H264_PARAMETERS = frozenset({1, 2, 3, 4, 5}), 5, frozenset({7, 8, 13})
_HEVC_RASL, _HEVC_PARAMETERS = frozenset({8, 9}), frozenset({32, 33, 34})


@dataclass(frozen=True)
class Syntax:
    """How the packets of a stream are to be read."""

    codec: str
    length_size: int
    """Bytes of the length before each unit; 0 for start codes."""

    @classmethod
    def of(cls, codec: str, extradata: bytes | None) -> "Syntax | None":
        """Return the syntax of a stream, or None for codecs other than H.264 and HEVC."""
        if codec not in {"h264", "hevc"}:
            return None
        position = 4 if codec == "h264" else 21
        if extradata and extradata[0] == 1 and len(extradata) > position:
            return cls(codec, (extradata[position] & 3) + 1)
        return cls(codec, 0)

    def units(self, data: memoryview) -> Iterator[memoryview]:
        """Yield the units of a packet, without prefix or start code."""
        return _prefixed(data, self.length_size) if self.length_size else _delimited(data)

    def describe(self, data: memoryview) -> tuple[int, int, list[bytes]]:
        """Return the flags of a packet, its temporal layer, and the parameter sets in it."""
        return _hevc(self.units(data)) if self.codec == "hevc" else _h264(self.units(data))


def _prefixed(data: memoryview, length_size: int) -> Iterator[memoryview]:
    position, end = 0, len(data)
    while position + length_size < end:
        size = int.from_bytes(data[position : position + length_size], "big")
        position += length_size
        if size:
            yield data[position : position + size]
        position += size


def _delimited(data: memoryview) -> Iterator[memoryview]:
    text = bytes(data)
    start = text.find(_START)
    while start >= 0:
        following = text.find(_START, start + 3)
        end = len(text) if following < 0 else following
        if end > start + 3:
            yield memoryview(text)[start + 3 : end]
        start = following


def _h264(units: Iterator[memoryview]) -> tuple[int, int, list[bytes]]:
    flags, parameters = 0, []
    for unit in units:
        kind = unit[0] & 31
        if kind in _H264_PICTURE:
            flags |= PICTURE | (REFERENCE if unit[0] & 0x60 else 0)
            flags |= ENTRY if kind == _H264_IDR else 0
        elif kind in _H264_PARAMETERS:
            parameters.append(bytes(unit).rstrip(b"\x00"))
    return flags, 0, parameters


def _hevc(units: Iterator[memoryview]) -> tuple[int, int, list[bytes]]:
    flags, layer, parameters = 0, 0, []
    for unit in units:
        if len(unit) < 2 or unit[0] & 1 or unit[1] & 0xF8:
            continue
        kind = unit[0] >> 1 & 63
        if kind < 32:
            flags |= _hevc_picture(kind)
            layer = max(layer, (unit[1] & 7) - 1)
        elif kind in _HEVC_PARAMETERS:
            parameters.append(bytes(unit).rstrip(b"\x00"))
    return flags, layer, parameters


def _hevc_picture(kind: int) -> int:
    flags = PICTURE
    if kind > 14 or kind % 2:
        flags |= REFERENCE
    if 16 <= kind <= 23:
        flags |= ENTRY
    if kind in _HEVC_RASL:
        flags |= SKIPPED_LEADING
    return flags
