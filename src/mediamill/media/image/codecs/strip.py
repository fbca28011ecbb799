"""Take metadata out of a file and leave the bytes of its pixels as they are.

Formats: JPEG (ITU-T T.81, B.1), PNG (W3C PNG, 3rd edition, 5 and 11), WebP (RFC 9649, 2.5).
"""

import re
from collections.abc import Iterator

_SOI, _EOI, _SOS, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_NO_FRAMES = frozenset({0xC4, 0xC8, 0xCC})
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PNG = b"\x89PNG\r\n\x1a\n"
_PLAIN_CHUNKS = frozenset({
    b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"bKGD", b"pHYs", b"hIST",
})  # fmt: skip
"""What may stay beside the chunks that every PNG needs: it says how pixels are shown."""
_LESS_THAN_PROFILE = frozenset({b"gAMA", b"cHRM"})
"""What counts only where there is no profile: without that it would."""


def stripped(data: bytes, media_type: str, *, srgb: bool = False) -> bytes | None:
    """Return a file without metadata and without what follows its end; the same if it has neither.

    None where its pixels would be shown differently then (colour profiles, CMYK), where there are
    several frames, where it is damaged, and for other formats. With `srgb` the colour profile of a
    JPEG or PNG is known to be sRGB's: it goes too, for that is how pixels without one are shown.
    """
    if media_type == "image/jpeg":
        return _jpeg(data, srgb=srgb)
    if media_type == "image/png":
        return _png(data, srgb=srgb)
    return _webp(data) if media_type == "image/webp" else None


def lossless_webp(data: bytes) -> bool:
    """Tell whether the pixels of a WebP are kept without loss."""
    return any(kind == b"VP8L" for kind, _ in _riff(data))


def _jpeg(data: bytes, *, srgb: bool) -> bytes | None:
    parts, at = [data[:2]], 2
    while data[at : at + 1] == b"\xff" and at + 1 < len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == _EOI:
            return b"".join([*parts, b"\xff\xd9"])
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        body = data[at + 4 : end]
        if end > len(data) or end < at + 4 or _shown_otherwise(marker, body, srgb=srgb):
            return None
        if _stays(marker, body):
            parts.append(data[at:end])
        at = end
        if marker == _SOS:
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                return None
            parts.append(data[at : found.start()])
            at = found.start()
    return None


def _shown_otherwise(marker: int, body: bytes, *, srgb: bool) -> bool:
    if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
        return body[5:6] not in {b"\x01", b"\x03"}
    profile = marker == 0xE2 and body.startswith(b"ICC_PROFILE\0")
    return marker == _SOI or (profile and not srgb)


def _stays(marker: int, body: bytes) -> bool:
    """Tell whether a segment is needed to show the pixels; thumbnails are not."""
    if marker == 0xE0:
        return len(body) == 14 and body[:5] == b"JFIF\0" and body[12:] == b"\0\0"
    if marker == 0xEE:
        return len(body) == 12 and body[:5] == b"Adobe"
    return marker != _COMMENT and not 0xE0 <= marker <= 0xEF


def _png(data: bytes, *, srgb: bool) -> bytes | None:
    if not data.startswith(_PNG):
        return None
    plain = _PLAIN_CHUNKS - (_LESS_THAN_PROFILE if srgb else frozenset())
    parts, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        if end > len(data) or kind == b"acTL" or (kind == b"iCCP" and not srgb):
            return None
        needed = not kind[0] & 0x20
        if needed or kind in plain:
            parts.append(data[at:end])
        if kind == b"IEND":
            return b"".join(parts)
        at = end
    return None


def _webp(data: bytes) -> bytes | None:
    """Return a WebP of pixels alone; all others have a header that says what else there is."""
    chunks = [*_riff(data)]
    if not chunks or chunks[0][0] not in {b"VP8 ", b"VP8L"}:
        return None
    end = chunks[0][1]
    if end > len(data):
        return None
    return b"RIFF" + (end - 8).to_bytes(4, "little") + data[8:end]


def _riff(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the name of each chunk of a WebP, and where it ends."""
    at = 12
    while data[8:12] == b"WEBP" and at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        yield data[at : at + 4], end
        at = end
