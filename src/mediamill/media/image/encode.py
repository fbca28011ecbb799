"""Encode 8-bit sRGB pixels. Nothing but pixels goes in, so no metadata can come out."""

from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.jpeg import encode_rgb

Pixels = NDArray[np.uint8]
Format = Literal["jpeg", "png", "webp"]

EXTENSIONS: dict[str, str] = {"jpeg": "jpg", "png": "png", "webp": "webp"}
MEDIA_TYPES: dict[str, str] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_PNG_LEVEL = 4


def encode(pixels: Pixels, form: Format, quality: int = 85) -> bytes:
    """Encode H×W×3 RGB or H×W×4 RGBA; alpha is flattened on white where JPEG cannot hold it.

    `quality` 1…100 is ignored by PNG.
    """
    if form == "jpeg":
        return encode_rgb(flatten(pixels), quality)
    if form == "png":
        return _by_opencv(pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    return _by_opencv(pixels, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def flatten(pixels: Pixels) -> Pixels:
    """Return H×W×3 RGB, with transparency shown on white."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[:, :, 3:].astype(np.uint16)
    mixed = pixels[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _by_opencv(pixels: Pixels, extension: str, options: list[int]) -> bytes:
    code = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    swapped = cv2.cvtColor(pixels, code)
    done, data = cv2.imencode(extension, swapped, options)
    if not done:
        raise ValueError(f"OpenCV could not write {extension}")
    return cast("NDArray[Any]", data).tobytes()
