"""PNG and APNG (W3C PNG, 3rd edition, 5 and 11): what shows stays, colour profiles too."""

import re
import zlib
from contextlib import suppress

from mediamill.media.privacy.orientation import Turning
from mediamill.media.privacy.parts import Parts, Scan, Uncut

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_SHOWN = _NEEDED | {
    b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"iCCP", b"sBIT", b"bKGD", b"pHYs", b"hIST",
    b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT",
}  # fmt: skip
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MOST_TEXT = 1 << 20
_RAW = re.compile(rb"\s*exif\s+\d+\s+([0-9a-fA-F\s]+)")


def png(scan: Scan) -> Parts:
    """Keep what shows; one that is cut off within its pixels ends there."""
    if scan.read(0, 8) != SIGNATURE:
        raise Uncut
    parts, turning, at, mark = Parts(), Turning(), len(SIGNATURE), None
    parts.keep(0, at)
    while at < scan.size:
        kind, size = scan.read(at + 4, 4), scan.number(at, 4)
        end = _end(scan, kind, at + 12 + size)
        if kind == b"eXIf" or kind in _TEXTS:
            _look(kind, scan.read(at + 8, min(size, _MOST_TEXT)), turning)
        elif kind in _SHOWN:
            parts.keep(at, end)
        elif not kind[0] & 0x20:  # it cannot be shown without, and what it says is not known
            raise Uncut
        at = end
        if kind == b"IHDR" and mark is None:
            mark = parts.mark()
        if kind == b"IEND":
            break
    if mark is not None and (block := turning.block):
        parts.write_at(mark, _chunk(b"eXIf", block))
    return parts


def _end(scan: Scan, kind: bytes, end: int) -> int:
    if end > scan.size and kind != b"IDAT":
        raise Uncut
    return min(end, scan.size)


def _look(kind: bytes, body: bytes, turning: Turning) -> None:
    """See what a chunk says of the orientation, where Pillow looks for it."""
    if kind == b"eXIf":
        turning.exif(body)
        return
    name, _, rest = body.partition(b"\0")
    packed = kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1")
    if name == b"XML:com.adobe.xmp" and kind == b"iTXt":
        text = rest[2:].split(b"\0", 2)[-1]
        turning.xmp(_inflated(text) if packed else text)
    elif name == b"Raw profile type exif" and kind != b"iTXt":
        found = _RAW.match(_inflated(rest[1:]) if packed else rest)
        with suppress(ValueError):
            turning.exif(bytes.fromhex(found[1].decode()) if found else b"")


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MOST_TEXT)
    except zlib.error:
        return b""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
