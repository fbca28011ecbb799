"""Filters over neighbouring pixels: blurs, sharpness, and other sizes or formats and back."""

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.alpha import colours, weighted
from mediamill.media.image.codecs.jpeg import decode_rgb, encode_rgb
from mediamill.media.image.depth import Pixels, eight, sixteen

_MOST = 64_000_000
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
"""What PIL, torchvision and Kornia smooth with to change sharpness."""


def gaussian_blur(pixels: Pixels, kernel: int, sigma: float) -> Pixels:
    """Blur with an odd number of pixels, mirrored at the edges."""
    return weighted(pixels, lambda part: cv2.GaussianBlur(part, (kernel, kernel), sigma))


def motion_blur(pixels: Pixels, length: int, degrees: float) -> Pixels:
    """Blur along a line of so many pixels, turned counter-clockwise from the horizontal."""
    return weighted(pixels, lambda part: cv2.filter2D(part, -1, line(length, degrees)))


def line(length: int, degrees: float) -> NDArray[np.float32]:
    """Return the kernel of a line through the middle, each of its points spread on four pixels."""
    kernel, middle = np.zeros((length, length), np.float64), (length - 1) / 2
    turn = math.radians(degrees)
    for step in np.linspace(-middle, middle, 4 * length):
        x, y = middle + step * math.cos(turn), middle - step * math.sin(turn)
        for column, row in ((c, r) for c in (0, 1) for r in (0, 1)):
            at = math.floor(x) + column, math.floor(y) + row
            share = max(0.0, 1 - abs(x - at[0])) * max(0.0, 1 - abs(y - at[1]))
            if share > 0 and max(at) < length:
                kernel[at[1], at[0]] += share
    return cast("NDArray[np.float32]", (kernel / kernel.sum()).astype(np.float32))


def sharpness(pixels: Pixels, factor: float) -> Pixels:
    """Blend with a smoothed picture: 0 is smooth, 1 the same, 2 sharper; outermost pixels stay.

    As torchvision's `adjust_sharpness`, `factor · picture + (1 − factor) · smooth`.
    """
    return colours(pixels, lambda part: _sharpened(part, factor))


def _sharpened(pixels: Pixels, factor: float) -> Pixels:
    if min(pixels.shape[:2]) < 3:
        return pixels
    smooth = cv2.filter2D(pixels, -1, _SMOOTH)
    made = cast("Pixels", cv2.addWeighted(pixels, factor, smooth, 1 - factor, 0))
    for edge in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]):
        made[edge] = pixels[edge]
    return made


def resampled(pixels: Pixels, factor: float) -> Pixels:
    """Bring to another resolution and back: by area where it shrinks, cubic where it grows.

    Between the two it has at most 64 megapixels, or as many as it has.
    """
    height, width = pixels.shape[:2]
    factor = min(factor, max(1.0, math.sqrt(_MOST / (width * height))))
    size = max(1, round(width * factor)), max(1, round(height * factor))

    def work(part: NDArray[Any]) -> NDArray[Any]:
        there = cv2.resize(part, size, interpolation=_interpolation(factor))
        del part  # with alpha it is a copy, and three at once would be too many
        return cv2.resize(there, (width, height), interpolation=_interpolation(1 / factor))

    return weighted(pixels, work)


def _interpolation(factor: float) -> int:
    return cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC


def jpeg_compressed(pixels: Pixels, quality: int) -> Pixels:
    """Return what is left after JPEG (4:2:0) of a quality; 16 bits go by way of 8, alpha stays."""
    return colours(pixels, lambda part: _through_jpeg(part, quality))


def _through_jpeg(pixels: Pixels, quality: int) -> Pixels:
    made = decode_rgb(encode_rgb(eight(pixels), quality))
    if made is None:  # libjpeg-turbo reads what it wrote
        raise ValueError("a JPEG that was just written cannot be read")
    return made if pixels.dtype == np.uint8 else sixteen(made)
