"""Fields that bend a picture, as a rubber sheet is bent (Simard, Steinkraus and Platt, 2003)."""

import math
from typing import Any

import cv2
import numpy as np

from mediamill.media.image.effects.noise import Bits
from mediamill.media.image.geometry.warp import Field, Size

_CELLS = 4
"""Cells of the coarse grid in one sigma: fine enough for what such a blur leaves."""

_MOST = 1_000_000
"""Points of a field; between them it is interpolated."""


def elastic(size: Size, reach: float, sigma: float, key: int) -> Field:
    """Return evenly drawn shifts smoothed by a Gaussian of `sigma` pixels; the longest is `reach`.

    It can be undone as long as `reach` is well below `sigma`.
    """
    cell = max(1.0, sigma / _CELLS)
    wide, high = (math.ceil(side / cell) + 1 for side in size)
    drawn = Bits(key).next(wide * high * 2).reshape(high, wide, 2).astype(np.float32) / 32767.5 - 1
    coarse: Any = cv2.GaussianBlur(drawn, (0, 0), sigma / cell).reshape(high, wide, 2)
    longest = float(np.sqrt((coarse**2).sum(axis=2)).max())
    coarse *= reach / max(longest, 1e-9)
    share = min(1.0, math.sqrt(_MOST / (size[0] * size[1])))
    fine = max(1, round(size[0] * share)), max(1, round(size[1] * share))
    shift = cv2.resize(coarse, fine, interpolation=cv2.INTER_CUBIC)
    return Field(shift.astype(np.float32), size)
