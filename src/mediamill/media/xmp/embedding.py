"""Put an XMP packet into a JPEG, PNG or WebP; its pixels stay as they are.

Where it goes says XMP's part 3 (ISO 16684-3 for JPEG and PNG; RFC 9649, 2.7, for WebP). The file is
one whose metadata has been cut off (`media/privacy`), so there is no other packet in it.
"""

import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from mediamill.media.privacy.parts import Part, Parts, Scan, Uncut

CHUNK = 1 << 20
_NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"
_MOST_IN_JPEG = 65_533 - len(_NAMESPACE)
_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"XML:com.adobe.xmp\0\0\0\0\0"
"""Of `iTXt`: not compressed, in no language, not translated."""
_HEADER = 33
"""Where the chunk behind IHDR begins."""
_HAS_XMP, _HAS_ALPHA = 0x04, 0x10


def embedded(stream: BinaryIO, size: int, media_type: str, packet: bytes) -> Iterable[Part] | None:
    """Return what the file with the packet is made of.

    None for formats that are left to a file beside it, and for files that are not built as their
    type says.
    """
    way = _WAYS.get(media_type)
    if way is None:
        return None
    scan = Scan(stream, size)
    try:
        return way(scan, packet).cut(scan).parts
    except Uncut:
        return None


def pour(stream: BinaryIO, parts: Iterable[Part], write: Callable[[bytes], Any]) -> None:
    """Write a file that is made of parts of another, a megabyte at a time."""
    for part in parts:
        if isinstance(part, bytes):
            write(part)
        elif isinstance(part, int):
            for start in range(0, part, CHUNK):
                write(bytes(min(CHUNK, part - start)))
        else:
            stream.seek(part[0])
            left = part[1] - part[0]
            while left and (chunk := stream.read(min(CHUNK, left))):
                write(chunk)
                left -= len(chunk)


def _jpeg(scan: Scan, packet: bytes) -> Parts:
    """Put it behind JFIF and EXIF, in a segment APP1 of its own."""
    if scan.read(0, 2) != b"\xff\xd8" or len(packet) > _MOST_IN_JPEG:
        raise Uncut
    at = 2
    while scan.number(at, 2) in (0xFFE0, 0xFFE1):
        at += 2 + scan.number(at + 2, 2)
    body = _NAMESPACE + packet
    return _inserted(scan, at, b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body)


def _png(scan: Scan, packet: bytes) -> Parts:
    """Put it behind the header, as international text."""
    if scan.read(0, 8) != _PNG or scan.read(12, 4) != b"IHDR":
        raise Uncut
    body = b"iTXt" + _KEYWORD + packet
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    return _inserted(scan, _HEADER, chunk)


def _webp(scan: Scan, packet: bytes) -> Parts:
    """Put it behind all else; the extended header, made if there is none, says that it is there."""
    if scan.read(0, 4) != b"RIFF" or scan.read(8, 4) != b"WEBP":
        raise Uncut
    kind, begin = scan.read(12, 4), 12
    if kind == b"VP8X":
        flags, canvas, begin = scan.number(20, 1) | _HAS_XMP, scan.read(24, 6), 30
    else:
        flags, canvas = _simple(scan, kind)
    extended = b"VP8X" + struct.pack("<I", 10) + bytes((flags, 0, 0, 0)) + canvas
    end = 8 + struct.unpack("<I", scan.read(4, 4))[0]
    if end > scan.size or end < begin:
        raise Uncut
    last = b"XMP " + struct.pack("<I", len(packet)) + packet + bytes(len(packet) % 2)
    body = 4 + len(extended) + (end - begin) + len(last)
    parts = Parts()
    parts.write(b"RIFF" + struct.pack("<I", body) + b"WEBP" + extended)
    parts.keep(begin, end)
    parts.write(last)
    return parts


def _simple(scan: Scan, kind: bytes) -> tuple[int, bytes]:
    """Return the flags and the canvas (24 bits each of width - 1 and height - 1) of a plain WebP.

    VP8: RFC 6386, 9.1; VP8L: RFC 9649, 3.4.
    """
    if kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", scan.read(26, 4)))
        flags = _HAS_XMP
    elif kind == b"VP8L":
        bits = struct.unpack("<I", scan.read(21, 4))[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _HAS_XMP | (_HAS_ALPHA if bits >> 28 & 1 else 0)
    else:
        raise Uncut
    if not width or not height:
        raise Uncut
    return flags, b"".join((side - 1).to_bytes(3, "little") for side in (width, height))


def _inserted(scan: Scan, at: int, data: bytes) -> Parts:
    parts = Parts()
    parts.keep(0, at)
    parts.write(data)
    parts.keep(at, scan.size)
    return parts


_WAYS: dict[str, Callable[[Scan, bytes], Parts]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
}
EMBEDDING = frozenset(_WAYS)
"""Types of files that take a packet in."""
