"""One image on its way through an operation: 8-bit sRGB pixels that are upright."""

from collections.abc import Mapping
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.encode import encode, flatten
from mediamill.media.image.encoding import AnyFormat, fitted

Pixels = NDArray[np.uint8]


class Picture:
    """An image whose pixels are at hand. Subclasses hold something that pixels are made from.

    `info` is what is known about it: for a frame its index and time, for a copy its parameters.
    """

    def __init__(self, pixels: Pixels, info: Mapping[str, Any] | None = None) -> None:
        self._pixels = pixels
        self.info: Mapping[str, Any] = info or {}

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self._pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self._pixels.shape[0])

    def array(self) -> Pixels:
        """Return H×W×3 RGB or H×W×4 RGBA (alpha not multiplied in), 8-bit sRGB."""
        return self._pixels

    def encode(self, form: AnyFormat, quality: int = 85) -> bytes:
        """Encode as JPEG, PNG, WebP or AVIF, without metadata."""
        return encode(self.array(), form, quality)

    def fit(self, width: int | None, height: int | None) -> "Picture":
        """Return the picture scaled down to fit inside; never enlarged, proportions kept."""
        size = fitted(self.width, self.height, width, height)
        if size == (self.width, self.height):
            return self
        return Picture(resized(self.array(), *size), self.info)

    def mirrored(self, axis: Literal["horizontal", "vertical"]) -> "Picture":
        """Return the picture with left and right (horizontal) or top and bottom swapped."""
        return Picture(cast("Pixels", cv2.flip(self.array(), int(axis == "horizontal"))), self.info)

    def flattened(self, background: tuple[int, int, int]) -> "Picture":
        """Return the picture without transparency, shown on a background."""
        return Picture(flatten(self.array(), background), self.info)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the pixels in another size, averaged over area; colours do not bleed out of alpha."""
    if pixels.shape[2] == 3:
        return cast("Pixels", cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
    alpha = pixels[:, :, 3:].astype(np.float32) / 255
    weighted = np.concatenate([pixels[:, :, :3] * alpha, alpha], axis=2)
    small = cv2.resize(weighted, (width, height), interpolation=cv2.INTER_AREA)
    colour = small[:, :, :3] / np.maximum(small[:, :, 3:], 1e-6)
    whole = np.concatenate([colour, small[:, :, 3:] * 255], axis=2)
    return cast("Pixels", np.clip(np.rint(whole), 0, 255).astype(np.uint8))
