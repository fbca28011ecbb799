"""Encode sRGB pixels of 8 or 16 bits. Nothing but pixels goes in, so no metadata can come out."""

import io
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mediamill.media.image.codecs.encoding import AnyFormat
from mediamill.media.image.codecs.jpeg import encode_rgb
from mediamill.media.image.depth import Pixels, eight, top

_PNG_LEVEL = 4
_AVIF_SPEED = 6


def encode(pixels: Pixels, form: AnyFormat, quality: int = 85) -> bytes:
    """Encode H×W×3 RGB or H×W×4 RGBA; alpha is flattened on white where JPEG cannot hold it.

    16 bits are kept by PNG and rounded to 8 for all others. `quality` 1…100 is ignored by PNG.
    """
    if form == "png":
        return _by_opencv(pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    pixels = eight(pixels)
    if form == "jpeg":
        return encode_rgb(eight(flatten(pixels)), quality)
    if form == "avif":
        return _avif(pixels, quality)
    return _by_opencv(pixels, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def flatten(pixels: Pixels, background: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    """Return H×W×3 RGB, with transparency shown on a background of 8 bits, white unless given."""
    if pixels.shape[2] == 3:
        return pixels
    most = top(pixels)
    wide: Any = np.uint16 if most == 255 else np.uint32
    behind: Any = np.array(background, wide) * wide(most // 255)
    alpha: Any = pixels[:, :, 3:].astype(wide)
    mixed = pixels[:, :, :3] * alpha + behind * (wide(most) - alpha)
    return cast("Pixels", ((mixed + wide(most // 2)) // wide(most)).astype(pixels.dtype))


def _avif(pixels: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(file, "AVIF", quality=quality, speed=_AVIF_SPEED, max_threads=1)
    return file.getvalue()


def _by_opencv(pixels: Pixels, extension: str, options: list[int]) -> bytes:
    code = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    swapped = cv2.cvtColor(pixels, code)
    done, data = cv2.imencode(extension, swapped, options)
    if not done:
        raise ValueError(f"OpenCV could not write {extension}")
    return cast("NDArray[Any]", data).tobytes()
