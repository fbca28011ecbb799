"""Decode the images that have 16 bits per channel, PNG and TIFF, without losing them.

Pillow says what is there and finds damage, OpenCV decodes, for Pillow gives colours as 8 bits; both
turn a TIFF upright. Profiles of curves and a matrix are applied at full depth; images with others
come as 8 bits.
"""

import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from mediamill.media.image.alpha import strips
from mediamill.media.image.codecs.icc import Profile, parsed

Deep = NDArray[np.uint16]

_SAMPLES, _FORMAT, _PHOTOMETRIC, _EXTRA, _BITS = 277, 339, 262, 338, 258
"""Tags of TIFF 6.0."""
_DEPTH = 24
"""Where a PNG says its bits per sample: in the header, always the first chunk."""
_GREY = frozenset({"I", "I;16", "I;16B", "L", "LA"})
_BLACK_IS_ZERO, _RGB, _UNASSOCIATED = 1, 2, 2
_FROM_XYZ = np.linalg.inv(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
"""XYZ under D50 to light of sRGB's primaries (IEC 61966-2-1, adapted by Bradford)."""


def decode_deep(
    source: Callable[[], BinaryIO], image: Image.Image, profile: bytes | None
) -> Deep | None:
    """Return H×W×3 or 4, sRGB, turned as Pillow does; None where there are no 16 bits to keep.

    `image` is the same, opened by Pillow, and is decoded to find damage: raises what Pillow does.
    """
    with source() as stream:
        head = stream.read(_DEPTH + 1)
    if not _sixteen(image, head):
        return None
    known = _profile(profile)
    if known is None:
        return None
    grey = image.mode in _GREY
    image.load()  # OpenCV before 5 gives half a picture of half a file
    with source() as stream:
        data = np.frombuffer(stream.read(), np.uint8)
    found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        return None
    pixels = _rgb(cast("Deep", found))
    fits = isinstance(known, Profile) and (known.matrix is None) == grey
    return in_srgb(pixels, cast("Profile", known)) if fits else pixels


def _sixteen(image: Image.Image, head: bytes) -> bool:
    """Tell whether an image has 16 bits per channel, stored in a way that OpenCV reads too."""
    if "transparency" in image.info:
        return False
    if image.format == "PNG":
        return head[_DEPTH : _DEPTH + 1] == b"\x10"
    tags: Any = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return False
    samples = tags.get(_SAMPLES, 1)
    plain = tags.get(_PHOTOMETRIC) == (_BLACK_IS_ZERO if samples == 1 else _RGB)
    whole = set(tags.get(_FORMAT, (1,))) == {1} and set(tags.get(_BITS, (1,))) == {16}
    alpha = samples != 4 or tuple(tags.get(_EXTRA, ())) in {(), (_UNASSOCIATED,)}
    return plain and whole and alpha and samples in {1, 3, 4}


def _profile(data: bytes | None) -> Profile | str | None:
    """Return a profile to convert by, a word where nothing is to be done, None for other kinds."""
    if not data:
        return "none"
    try:
        inner: Any = ImageCms.ImageCmsProfile(io.BytesIO(data)).profile
        if "sRGB" in (inner.profile_description or ""):
            return "sRGB"
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return "damaged"
    return parsed(data)


def _rgb(found: Deep) -> Deep:
    if found.ndim == 2 or found.shape[2] == 1:
        return np.repeat(found.reshape(*found.shape[:2], 1), 3, axis=2)
    code = cv2.COLOR_BGR2RGB if found.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return cast("Deep", cv2.cvtColor(found, code))


def in_srgb(pixels: Deep, profile: Profile) -> Deep:
    """Return colours (or grey) of a profile in sRGB; alpha, if there is one, stays."""
    made = _converted(pixels[:, :, :3], profile)
    return made if pixels.shape[2] == 3 else np.concatenate([made, pixels[:, :, 3:]], axis=2)


def _converted(colours: Deep, profile: Profile) -> Deep:
    values = np.arange(65536) / 65535
    tables = [curve(values).astype(np.float32) for curve in profile.curves]
    if profile.matrix is None:
        table = np.rint(encoded(tables[0]) * 65535).astype(np.uint16)
        return cast("Deep", np.take(table, colours))
    matrix, made = (_FROM_XYZ @ profile.matrix).astype(np.float32), np.empty_like(colours)
    for rows in strips(len(colours)):
        light = np.stack([np.take(tables[n], colours[rows, :, n]) for n in range(3)], axis=2)
        mixed = cast("NDArray[np.float32]", cv2.transform(light, matrix))
        made[rows] = np.rint(encoded(mixed) * np.float32(65535))
    return made


def encoded(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sRGB's values 0…1 of light, clipped to what it can show (IEC 61966-2-1)."""
    clipped = np.clip(light, 0, 1)
    curved = np.float32(1.055) * clipped ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(clipped <= 0.0031308, np.float32(12.92) * clipped, curved)
