"""Read what an image says about itself, and refuse it before its pixels are decoded."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from PIL import Image

from mediamill.core.errors import (
    BrokenMedia,
    LimitExceeded,
    MediamillError,
    UnsupportedMedia,
    cause_of,
)
from mediamill.media.image.codecs.formats import FORMATS, MAX_PIXELS
from mediamill.media.image.codecs.gif import count_frames
from mediamill.media.image.orient import UPRIGHT, Orientation, from_exif

_ANIMATED = frozenset({"image/png", "image/webp", "image/avif"})
ORIENTATION = 0x0112
_GREY = frozenset({"1", "L", "F", "I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of one channel, but for palettes."""


@dataclass(frozen=True)
class Header:
    """Width and height are upright."""

    media_type: str
    width: int
    height: int
    frames: int
    orientation: Orientation
    profile: bytes | None = None
    """Its ICC profile, as stored."""
    grey: bool = False
    """Whether it is stored as grey alone: one channel, and no transparency."""


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises on bad input into `BrokenMedia` or `LimitExceeded`.

    Decoders raise far more than their documented errors: of 6,559 hostile images 1,631 did.
    Warnings about bad data are silenced.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except MediamillError:
            raise
        except (MemoryError, Image.DecompressionBombError) as error:
            raise LimitExceeded(
                f"{name} would take too much memory: make it smaller first"
            ) from error
        except Exception as error:
            raise BrokenMedia(f"{name} is cut off or damaged", cause=cause_of(error)) from error


@contextmanager
def opened(stream: BinaryIO, media_type: str, name: str) -> Iterator[Image.Image]:
    """Open an image without decoding it; raises `UnsupportedMedia` for types we do not decode."""
    formats = FORMATS.get(media_type)
    if formats is None:
        raise UnsupportedMedia(f"{name}: {media_type} is not supported", media_type=media_type)
    if media_type == "image/heic" and not _heif_ready():
        raise UnsupportedMedia(
            f"{name}: this installation does not read HEIC. Send it as JPEG, or have the operator "
            "install mediamill[heic].",
            media_type=media_type,
        )
    with guarded(name), Image.open(stream, formats=formats) as image:
        yield image


def _heif_ready() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def read_header(stream: BinaryIO, media_type: str, name: str) -> Header:
    """Return size, frames and orientation of an image whose type is known by content.

    Raises `BrokenMedia`, `UnsupportedMedia`, and `LimitExceeded` over `MAX_PIXELS`.
    """
    with opened(stream, media_type, name) as image:
        stored = image.size
        check_pixels(stored, 1, name)
        frames = max(1, getattr(image, "n_frames", 1)) if media_type in _ANIMATED else 1
        orientation = orientation_of(image)
        profile = image.info.get("icc_profile")
        grey = image.mode in _GREY and "transparency" not in image.info
    if media_type == "image/gif":
        stream.seek(0, os.SEEK_SET)
        frames = count_frames(stream, most=MAX_PIXELS // (stored[0] * stored[1]) + 1)
    check_pixels(stored, frames, name)
    size = orientation.size(*stored)
    return Header(media_type, *size, frames, orientation, cast("bytes | None", profile), grey)


def check_pixels(size: tuple[int, int], frames: int, name: str) -> None:
    """Refuse images without area, or with more than `MAX_PIXELS` in all frames together."""
    width, height = size
    if width <= 0 or height <= 0:
        raise BrokenMedia(f"{name} has no area")
    if width * height * frames > MAX_PIXELS:
        times = f" × {frames} frames" if frames > 1 else ""
        raise LimitExceeded(f"{name} is {width} × {height}{times}: more than {MAX_PIXELS} pixels")


def orientation_of(image: Image.Image) -> Orientation:
    """Return how an image is to be turned; EXIF that cannot be read counts as upright.

    Pillow turns TIFF by itself, and libheif HEIC.
    """
    if image.format == "TIFF":
        return UPRIGHT
    try:
        return from_exif(image.getexif().get(ORIENTATION))
    except Exception:  # hostile EXIF raises anything, and is no reason to refuse
        return UPRIGHT
