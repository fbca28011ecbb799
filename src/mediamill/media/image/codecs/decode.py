"""Decode an image upright and in sRGB, no larger than asked for where its format allows that."""

import io
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, cast

from PIL import Image

from mediamill.media.image.codecs.colour import to_srgb
from mediamill.media.image.codecs.deep import decode_deep
from mediamill.media.image.codecs.header import (
    Header,
    check_pixels,
    guarded,
    opened,
    orientation_of,
    read_header,
)
from mediamill.media.image.codecs.jpeg import Pixels, decode_rgb
from mediamill.media.image.codecs.jpeg_header import jpeg_header
from mediamill.media.image.depth import Pixels as AnyPixels
from mediamill.media.image.picture import Picture
from mediamill.media.image.stored import StoredPicture

_HEAD = 1 << 17
"""Bytes in which a JPEG's header ends, with EXIF and its small picture, XMP and a profile."""
_REDUCIBLE = frozenset({"RGB", "RGBA", "L", "LA", "CMYK"})

Opening = Callable[[], BinaryIO]
"""Opens an image's file anew, at its begin."""


def examined(source: Opening, media_type: str, name: str) -> tuple[Header, Opening]:
    """Return the header of an image that is to be decoded, and how to open it for that.

    A JPEG that is small enough is read here, once: libjpeg wants the whole in memory. Raises what
    `read_header` does.
    """
    if media_type == "image/jpeg":
        with guarded(name), source() as stream:
            if (header := jpeg_header(stream.read(_HEAD))) is not None:
                check_pixels((header.width, header.height), 1, name)
                stream.seek(0)
                return header, partial(io.BytesIO, stream.read())
    with source() as stream:
        return read_header(stream, media_type, name), source


def decode(
    source: Opening,
    header: Header,
    name: str,
    at_least: tuple[int, int] = (0, 0),
    deep: bool = False,
) -> Picture:
    """Return the first frame of an image.

    `at_least` is the smallest upright width and height that will do; (0, 0) asks for all pixels.
    JPEG is then shrunk while it is decoded. With `deep` PNG and TIFF of 16 bits keep them.
    Raises `BrokenMedia` or `LimitExceeded`.
    """
    smallest = header.orientation.size(*at_least)
    if header.media_type == "image/jpeg":
        with guarded(name):
            pixels: AnyPixels | None = _shrunk_jpeg(source, header.profile, smallest)
            if pixels is not None and at_least != (0, 0):
                return StoredPicture(pixels, header.orientation)
            if pixels is not None:
                return Picture(cast("AnyPixels", header.orientation.apply(pixels)))
    with source() as stream, opened(stream, header.media_type, name) as image:
        check_pixels(image.size, 1, name)
        profile = cast("bytes | None", image.info.get("icc_profile"))
        orientation = orientation_of(image)
        pixels = decode_deep(source, image, profile) if deep else None
        if pixels is None:
            image.load()
            pixels = to_srgb(_reduced(image, smallest), profile)
    with guarded(name):
        return Picture(cast("AnyPixels", orientation.apply(pixels)))


def _shrunk_jpeg(
    source: Opening, profile: bytes | None, smallest: tuple[int, int]
) -> Pixels | None:
    with source() as stream:
        pixels = decode_rgb(stream.read(), *smallest)
    if pixels is None or not profile:
        return pixels
    return to_srgb(Image.fromarray(pixels), profile)


def _reduced(image: Image.Image, smallest: tuple[int, int]) -> Image.Image:
    """Return the image averaged down by a whole factor, not below the smallest size."""
    if 0 in smallest or image.mode not in _REDUCIBLE or "transparency" in image.info:
        return image
    factor = min(image.width // smallest[0], image.height // smallest[1])
    return image.reduce(factor) if factor > 1 else image
