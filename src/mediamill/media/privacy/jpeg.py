"""JPEG (ITU-T T.81, B.1): tables, frames and scans stay, JFIF, Adobe's marker and ICC profiles.

What follows the end (depth maps, further pictures of an MPO, a video) goes, as do thumbnails.
"""

import re

from mediamill.media.privacy.orientation import PREFIX, Turning
from mediamill.media.privacy.parts import WINDOW, Parts, Scan, Uncut

_EOI, _SOS, _SOI = 0xD9, 0xDA, 0xD8
_SHOWN = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF})
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def jpeg(scan: Scan) -> Parts:
    """Keep what shows; one that ends too early ends there."""
    parts, turning, at = Parts(), Turning(), 2
    parts.keep(0, 2)
    mark = None
    while at < scan.size:
        if scan.read(at, 1) != b"\xff":  # decoders skip it
            at += 1
            continue
        marker = scan.number(at + 1, 1)
        if marker in (0x00, 0xFF) or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI:
            parts.keep(at, at + 2)
            break
        end = at + 2 + scan.number(at + 2, 2)
        if end < at + 4 or marker == _SOI:
            raise Uncut
        body = scan.read(at + 4, end - at - 4)
        if marker != 0xE0 and mark is None:  # JFIF comes first
            mark = parts.mark()
        if marker == 0xE1:
            _look(body, turning)
        else:
            _copy(parts, marker, at, body)
        at = end
        if marker == _SOS:
            at = _scanned(scan, at)
            parts.keep(end, at)
    if mark is not None and (block := turning.block):
        parts.write_at(mark, _segment(0xE1, PREFIX + block))
    return parts


def _look(body: bytes, turning: Turning) -> None:
    if body.startswith(PREFIX):
        turning.exif(body)
    elif body.startswith(_XMP):
        turning.xmp(body)


def _copy(parts: Parts, marker: int, at: int, body: bytes) -> None:
    """Keep a segment that is needed, without what hangs on it."""
    if marker in _SHOWN or (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0")):
        parts.keep(at, at + 4 + len(body))
    elif marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        parts.write(_segment(marker, body[:12] + b"\0\0"))
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        parts.write(_segment(marker, body[:12]))


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def _scanned(scan: Scan, at: int) -> int:
    """Return where the entropy-coded data that begins at a place ends."""
    while at < scan.size:
        data = scan.read(at, min(WINDOW, scan.size - at))
        if found := _AFTER_SCAN.search(data):
            return at + found.start()
        at += max(1, len(data) - 1)  # a marker may lie across the edge
    return scan.size
