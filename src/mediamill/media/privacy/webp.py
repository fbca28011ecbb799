"""WebP (RFC 9649, 2): pictures, alpha, animation and colour profile stay."""

from collections.abc import Iterator

from mediamill.media.privacy.orientation import Turning
from mediamill.media.privacy.parts import Parts, Scan, Uncut

_PICTURE = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_SHOWN = _PICTURE | {b"ICCP", b"ANIM"}
_EXIF, _XMP = 0x08, 0x04
_FRAME_HEADER = 16
_MOST_SAID = 1 << 20


def webp(scan: Scan) -> Parts:
    """Keep what shows, and say in the header what there still is."""
    if scan.read(0, 4) != b"RIFF" or scan.read(8, 4) != b"WEBP":
        raise Uncut
    parts, turning, header = Parts(), Turning(), None
    mark = parts.mark()
    stop = min(scan.size, 8 + int.from_bytes(scan.read(4, 4), "little"))
    for kind, at, end, size in _chunks(scan, 12, stop):
        if kind == b"VP8X" and header is None:
            header = parts.mark()
            extended = scan.read(at, end - at)
        elif kind in _SHOWN:
            parts.keep(at, end)
        elif kind == b"ANMF":
            _check_frame(scan, at, end)
            parts.keep(at, end)
        elif kind in (b"EXIF", b"XMP "):
            said = scan.read(at + 8, min(size, _MOST_SAID))
            (turning.exif if kind == b"EXIF" else turning.xmp)(said)
        if header is None and kind in _PICTURE:
            break  # the simple form is one picture
    if header is not None:
        block = turning.block
        parts.write(b"EXIF" + len(block).to_bytes(4, "little") + block if block else b"")
        flags = extended[8] & ~(_EXIF | _XMP) | (_EXIF if block else 0)
        parts.write_at(header, extended[:8] + bytes((flags,)) + extended[9:])
    total = 4 + parts.size
    parts.write_at(mark, b"RIFF" + total.to_bytes(4, "little") + b"WEBP")
    return parts


def _check_frame(scan: Scan, at: int, end: int) -> None:
    """Raise `Uncut` for a frame that holds something else than its picture."""
    if any(kind not in _PICTURE for kind, *_ in _chunks(scan, at + 8 + _FRAME_HEADER, end)):
        raise Uncut


def _chunks(scan: Scan, at: int, stop: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield name, begin, end with its filling, and size of each chunk."""
    while at + 8 <= stop:
        size = int.from_bytes(scan.read(at + 4, 4), "little")
        end = min(at + 8 + size + size % 2, stop)
        if at + 8 + size > stop:
            raise Uncut
        yield scan.read(at, 4), at, end, size
        at = end
