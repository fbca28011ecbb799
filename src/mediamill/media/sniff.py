"""Tell a media type from the first bytes. Names and headers that clients send are never asked."""

import codecs
import re
from collections.abc import Callable

HEAD = 1 << 14
"""Bytes that `sniff` looks at."""

UNKNOWN = "application/octet-stream"
ZIP, PDF = "application/zip", "application/pdf"

_FIXED: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00\x08", "image/tiff"),
    (b"MM\x00+\x00\x08", "image/tiff"),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1aE\xdf\xa3", "video/x-matroska"),
    (b"FLV\x01", "video/x-flv"),
    (b"OggS", "video/ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AUDIO_BRANDS = frozenset({b"M4A ", b"M4B "})
_BARE_BOXES = frozenset({b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_BITMAP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_PACKET_SIZES = ((188, 0), (192, 4), (204, 0))
_H264_STARTS = (b"\x06\x05", b"\x09", b"\x27", b"\x47", b"\x67")
_HEVC_STARTS = (b"\x40\x01", b"\x42\x01", b"\x46\x01")
_WIDE = (
    ((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-32"),  # one begins as UTF-16's does
    ((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16"),
)
_LONG = 64
"""Bytes of which one in ten is below 32 unless they are text, so that hardly any has none."""
_HTML = re.compile(r"<(!doctype html|html|head|body|script|iframe|title|meta|style)[\s>/]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def sniff(head: bytes) -> str:
    """Return the media type of what begins with `head`, at least as long as `HEAD` if it can be.

    SVG is `text/xml` and HTML `text/html`, never an image. What is not known is
    `application/octet-stream`.
    """
    for prefix, kind in _FIXED:
        if head.startswith(prefix):
            return "video/webm" if kind == "video/x-matroska" and b"webm" in head[:64] else kind
    rules: tuple[Callable[[bytes], str | None], ...] = (
        _riff, _boxes, _bitmap, _transport_stream, _bare_stream, _pdf, _text,
    )  # fmt: skip
    return next(filter(None, (rule(head) for rule in rules)), UNKNOWN)


def _riff(head: bytes) -> str | None:
    return _RIFF.get(head[8:12]) if head.startswith(b"RIFF") else None


def _boxes(head: bytes) -> str | None:
    """ISO base media files (ISO/IEC 14496-12, 4.3) and QuickTime files without a brand."""
    if head[4:8] in _BARE_BOXES:
        return "video/quicktime"
    if head[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(head[:4], "big"), 512)
    brands = [head[n : n + 4] for n in (8, *range(16, size, 4))]
    if brands[0] in _AVIF_BRANDS or (brands[0] in _HEIF_BRANDS and _AVIF_BRANDS & {*brands}):
        return "image/avif"
    if brands[0] in _HEIF_BRANDS:
        return "image/heic"
    if brands[0] in _AUDIO_BRANDS:
        return "audio/mp4"
    return "video/quicktime" if brands[0] == b"qt  " else "video/mp4"


def _bitmap(head: bytes) -> str | None:
    header = int.from_bytes(head[14:18], "little")
    return "image/bmp" if head.startswith(b"BM") and header in _BITMAP_HEADERS else None


def _transport_stream(head: bytes) -> str | None:
    for size, first in _PACKET_SIZES:
        marks = head[first : first + 4 * size : size]
        if len(marks) == 4 and marks == b"G" * 4:
            return "video/mp2t"
    return None


def _bare_stream(head: bytes) -> str | None:
    """H.264 and HEVC without a container, named as in RFC 6184 and RFC 7798.

    They begin with a parameter set, an access unit delimiter, or the encoder's signature as x264
    writes it (H.264, table 7-1; H.265, table 7-1).
    """
    start = head.find(b"\x00\x00\x01", 0, 8)
    if start < 0 or head[:start].strip(b"\x00"):
        return None
    first = head[start + 3 : start + 5]
    if first in _HEVC_STARTS:
        return "video/h265"
    return "video/h264" if first.startswith(_H264_STARTS) else None


def _pdf(head: bytes) -> str | None:
    return PDF if b"%PDF-" in head[:1024] else None


def _text(head: bytes) -> str | None:
    text = _decoded(head)
    if not text or _CONTROL.search(text):
        return None
    start = text.lstrip("\ufeff \t\r\n")[:1024].lower()
    if start.startswith(("<?xml", "<svg")):
        return "text/xml"
    return "text/html" if _HTML.match(start) else "text/plain"


def _decoded(head: bytes) -> str | None:
    """Decode text that may be cut inside its last character."""
    marks = (encoding for marks, encoding in _WIDE if head.startswith(marks))
    encoding = next(marks, "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return _old_text(head) if encoding == "utf-8" else None


def _old_text(head: bytes) -> str | None:
    """Return what may be text of before Unicode; its letters are right in Latin-1 alone.

    Bytes that are no text have some below 32 among them before long; of few, most are to be ASCII.
    """
    ascii_only = sum(byte < 0x7F for byte in head)
    return head.decode("latin-1") if len(head) >= _LONG or 2 * ascii_only > len(head) else None
