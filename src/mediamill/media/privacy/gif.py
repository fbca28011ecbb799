"""GIF (GIF89a, CompuServe 1990): pictures and what times them stay, comments and XMP go."""

from mediamill.media.privacy.parts import Parts, Scan, Uncut

_APPLICATIONS = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"})
"""Loops and colour profiles."""


def gif(scan: Scan) -> Parts:
    """Keep what shows; one that is cut off ends there."""
    parts, at = Parts(), 13
    at += _table(scan.read(10, 1)[0])
    parts.keep(0, at)
    while at < scan.size:
        kind, begin = scan.read(at, 1), at
        if kind == b"\x3b":
            parts.keep(at, at + 1)
            break
        if kind == b"\x2c":
            at = _blocks(scan, at + 11 + _table(scan.read(at + 9, 1)[0]))
            parts.keep(begin, at)
        elif kind == b"\x21":
            label = scan.read(at + 1, 1)
            if label == b"\x01":  # text that is drawn: nobody shows it, and it has a time
                raise Uncut
            at = _blocks(scan, at + 2)
            named = label == b"\xff" and scan.read(begin + 3, 11) in _APPLICATIONS
            if named or label == b"\xf9":
                parts.keep(begin, at)
        else:
            raise Uncut
    return parts


def _table(flags: int) -> int:
    """Return the bytes of the colour table that flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(scan: Scan, at: int) -> int:
    """Return the end of the sub-blocks that begin at a place."""
    while at < scan.size:
        size = scan.read(at, 1)[0]
        at += 1 + size
        if not size:
            return at
    return scan.size
