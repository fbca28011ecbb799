"""Bring a picture into the form in which it leaves the house: for a model to look at.

That is JPEG with 4:2:0 chroma, upright, in sRGB, its first frame only, transparency shown on white,
bounded in pixels and bytes, and nothing in it but pixels. A JPEG that is all that already passes
as it lies, once its metadata is cut off and its scans are seen to be whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from mediamill.core.errors import LimitExceeded, UnsupportedMedia
from mediamill.media.image.codecs.colour import is_srgb
from mediamill.media.image.codecs.decode import decode, examined
from mediamill.media.image.codecs.encoding import Encoding, fitted
from mediamill.media.image.codecs.formats import FORMATS
from mediamill.media.image.codecs.header import Header
from mediamill.media.image.codecs.jpeg import decode_rgb
from mediamill.media.image.codecs.strip import stripped
from mediamill.media.image.orient import UPRIGHT
from mediamill.media.image.picture import Picture
from mediamill.media.sniff import HEAD, sniff

MEDIA_TYPE = "image/jpeg"
QUALITY = 85
LOWER = (70, 50)
"""Qualities that are tried before a picture of too many bytes is made smaller."""
SMALLER = 0.75
LEAST_SIDE = 64
"""A picture that is smaller still is not worth a look."""
LOOSE = 1.0
"""A JPEG of more bytes than this for each pixel is encoded anew: they are time on the wire."""
_COMMON = frozenset({0xC0, 0xC1, 0xC2})
"""Frames of JPEG that everybody reads: baseline, extended and progressive Huffman coding."""


@dataclass(frozen=True)
class Sendable:
    """A picture as it is sent, `image/jpeg`; `width` and `height` in pixels."""

    data: bytes
    width: int
    height: int


def sendable(
    source: Callable[[], BinaryIO], size: int, name: str, long_side: int, most_bytes: int
) -> Sendable:
    """Return an image file of `size` bytes as it is sent, within the bounds.

    Raises `UnsupportedMedia`, `BrokenMedia`, and `LimitExceeded` for too many pixels, or where no
    size of it has so few bytes.
    """
    with source() as stream:
        media_type = sniff(stream.read(HEAD))
    if media_type not in FORMATS:
        raise UnsupportedMedia(f"{name} is no image that can be decoded: {media_type}")
    header, source = examined(source, media_type, name)
    if size <= 4 * most_bytes and (data := _as_it_lies(source, header, long_side, most_bytes)):
        return Sendable(data, header.width, header.height)
    least = fitted(header.width, header.height, long_side, long_side)
    picture = decode(source, header, name, at_least=least)
    picture.grey = header.grey
    return encoded(picture, name, long_side, most_bytes)


def encoded(picture: Picture, name: str, long_side: int, most_bytes: int) -> Sendable:
    """Return a picture as it is sent; raises `LimitExceeded` where no size has so few bytes."""
    picture = picture.fit(long_side, long_side)
    for quality in (QUALITY, *LOWER):
        data = Encoding("jpeg", quality, grey=True).write(picture)
        if len(data) <= most_bytes:
            return Sendable(data, picture.width, picture.height)
    side = int(max(picture.width, picture.height) * SMALLER)
    if side < LEAST_SIDE:
        raise LimitExceeded(f"{name} does not fit into {most_bytes:,} bytes, however small.")
    return encoded(picture, name, side, most_bytes)


def _as_it_lies(
    source: Callable[[], BinaryIO], header: Header, long_side: int, most_bytes: int
) -> bytes | None:
    """Return a JPEG without its metadata, if its pixels need no change; None if they do."""
    fits = max(header.width, header.height) <= long_side
    if header.media_type != MEDIA_TYPE or header.orientation != UPRIGHT or not fits:
        return None
    srgb = header.profile is not None and is_srgb(header.profile)
    with source() as stream:
        data = stripped(stream.read(), MEDIA_TYPE, srgb=srgb)
    most = min(most_bytes, LOOSE * header.width * header.height)
    if data is None or len(data) > most or _frame(data) not in _COMMON:
        return None
    return data if decode_rgb(data, 1, 1) is not None else None


def _frame(data: bytes) -> int:
    """Return the marker of the frame of a JPEG, 0 where it is not of 8 bits (T.81, B.2.2)."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 5 <= len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return marker if data[at + 4] == 8 else 0
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0
