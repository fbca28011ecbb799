"""Noise from a generator whose bits are the same everywhere: SFC64, seeded by a key.

NumPy promises the bits of its generators, not the numbers its distributions make of them, so these
are made here, from a table of the normal distribution.
"""

from functools import lru_cache
from statistics import NormalDist
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.alpha import colours
from mediamill.media.image.depth import Pixels, top

_ROWS = 64
"""Rows at a time: numbers for a large picture would take more room than it does."""


def gaussian_noise(pixels: Pixels, mean: float, std: float, key: int) -> Pixels:
    """Add a normal number (shares of white) to each channel of each pixel; alpha stays."""
    return colours(pixels, lambda part: _noisy(part, mean, std, key))


def _noisy(pixels: Pixels, mean: float, std: float, key: int) -> Pixels:
    most = top(pixels)
    kind = np.int16 if most == 255 else np.int32
    table: Any = np.rint((_normal() * std + mean) * most).astype(kind)
    made, stream = np.empty_like(pixels), Bits(key)
    for start in range(0, len(pixels), _ROWS):
        rows = pixels[start : start + _ROWS]
        drawn: Any = stream.next(rows.size).reshape(rows.shape)
        if most == 255:
            noise: Any = cv2.LUT(drawn, table)
            made[start : start + _ROWS] = cv2.add(rows, noise, dtype=cv2.CV_8U)
        else:
            noise = table[drawn]
            made[start : start + _ROWS] = cv2.add(rows.astype(np.int32), noise, dtype=cv2.CV_16U)
    return made


class Bits:
    """A stream of random 16-bit numbers of a 128-bit key."""

    def __init__(self, key: int) -> None:
        self._words = np.random.SFC64(key)

    def next(self, count: int) -> NDArray[np.uint16]:
        """Return the next numbers; what is left of the last 64 bits is dropped."""
        words = self._words.random_raw(-(-count // 4))
        return cast("NDArray[np.uint16]", words.astype("<u8", copy=False).view("<u2")[:count])


@lru_cache(maxsize=1)
def _normal() -> NDArray[np.float64]:
    """Return the quantiles of the standard normal distribution at the middles of 65,536 steps."""
    quantile = NormalDist().inv_cdf
    half = np.array([quantile((n + 0.5) / 65536) for n in range(32768)])
    return np.concatenate([half, -half[::-1]])
