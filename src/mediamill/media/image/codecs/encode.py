"""Encode sRGB pixels of 8 or 16 bits. Nothing but pixels goes in, so no metadata can come out."""

import io
import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mediamill.core.errors import LimitExceeded
from mediamill.media.image.alpha import strips
from mediamill.media.image.codecs.encoding import LONGEST, AnyFormat
from mediamill.media.image.codecs.jpeg import encode_grey, encode_rgb
from mediamill.media.image.depth import Pixels, eight, top

_PNG_LEVEL = 4
_AVIF_SPEED = 6


def encode(pixels: Pixels, form: AnyFormat, quality: int = 85) -> bytes:
    """Encode H×W×3 RGB or H×W×4 RGBA; alpha is flattened on white where JPEG cannot hold it.

    PNG and JPEG take H×W×1, grey, too. 16 bits are kept by PNG and rounded to 8 for all others.
    `quality` 1…100 is ignored by PNG. Raises `LimitExceeded` for sides that a format cannot have.
    """
    if max(pixels.shape[:2]) > LONGEST.get(form, math.inf):
        name, sides = form.upper(), f"{LONGEST[form]:,}"
        raise LimitExceeded(f"{name} has no sides of more than {sides} pixels: choose PNG.")
    if form == "png":
        return _by_opencv(pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    pixels = eight(pixels)
    if form == "jpeg":
        if pixels.shape[2] == 1:
            return encode_grey(pixels, quality)
        return encode_rgb(eight(flatten(pixels)), quality)
    if form == "avif":
        return _avif(pixels, quality)
    return _by_opencv(pixels, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def without_colour(pixels: Pixels) -> Pixels | None:
    """Return the green of H×W×3 as H×W×1 where the others differ by a rounding at most, else None.

    Filters and matrices over equal channels may round them differently.
    """
    if pixels.shape[2] != 3:
        return None
    made = np.empty((*pixels.shape[:2], 1), pixels.dtype)
    for rows in strips(len(pixels)):
        red, green, blue = cv2.split(pixels[rows])
        if any(cv2.norm(green, other, cv2.NORM_INF) > 1 for other in (red, blue)):
            return None
        made[rows, :, 0] = green
    return cast("Pixels", made)


def flatten(pixels: Pixels, background: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    """Return H×W×3 RGB, with transparency shown on a background of 8 bits, white unless given."""
    if pixels.shape[2] == 3:
        return pixels
    most, made = top(pixels), np.empty((*pixels.shape[:2], 3), pixels.dtype)
    wide: Any = np.uint16 if most == 255 else np.uint32
    behind: Any = np.array(background, wide) * wide(most // 255)
    for rows in strips(len(pixels)):
        alpha: Any = pixels[rows, :, 3:].astype(wide)
        mixed = pixels[rows, :, :3] * alpha + behind * (wide(most) - alpha)
        made[rows] = (mixed + wide(most // 2)) // wide(most)
    return cast("Pixels", made)


def _avif(pixels: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    try:
        image.save(file, "AVIF", quality=quality, speed=_AVIF_SPEED, max_threads=1)
    except RuntimeError as error:  # libavif does not say so; it takes 30 bytes for each pixel
        raise MemoryError(str(error)) from error
    return file.getvalue()


def _by_opencv(pixels: Pixels, extension: str, options: list[int]) -> bytes:
    codes = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    code = codes.get(pixels.shape[2])
    swapped = pixels if code is None else cv2.cvtColor(pixels, code)
    done, data = cv2.imencode(extension, swapped, options)
    del swapped
    if not done:  # sides and channels fit, so that its library had no room
        raise MemoryError(f"OpenCV could not write {extension}")
    return cast("NDArray[Any]", data).tobytes()
