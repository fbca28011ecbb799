"""Pixels of 8 and 16 bits, from one to the other, and how many threads work on them."""

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def top(pixels: NDArray[Any]) -> int:
    """Return the value of white: 255 or 65,535."""
    return int(np.iinfo(pixels.dtype).max)


def eight(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels of 8 bits, rounded to the nearest where there were 16."""
    if pixels.dtype == np.uint8:
        return pixels
    made = cv2.convertScaleAbs(pixels, alpha=1 / 257)  # without the axis of a single channel
    return cast("NDArray[np.uint8]", made.reshape(pixels.shape))


def sixteen(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    """Return pixels of 16 bits; those of 8 are spread so that white stays white."""
    if pixels.dtype == np.uint16:
        return pixels
    return pixels.astype(np.uint16) * np.uint16(257)


def limit_threads(count: int) -> None:
    """Have OpenCV use so many threads of this process; what comes of it is the same."""
    cv2.setNumThreads(count)
