"""Numbers of one picture, over all its visible pixels in one pass at full depth.

All are in the units of 8 bits, 0 … 255: values of 16 bits are divided by 257. `Y` is the luma of
the gamma-coded values, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded to the picture's depth.

- `mean`: of each channel; `snr`: mean / standard deviation of each, None where pixels are equal.
- `luminance`: mean of Y.
- `sharpness`: standard deviation of the Laplacian of Y (Pech-Pacheco et al., 2000), with the kernel
  0 1 0 / 1 −4 1 / 0 1 0 and the border mirrored without its last pixel.
- `contrast_michelson`: (max Y − min Y) / (max Y + min Y) (Michelson, 1927); 0 for black.
- `contrast_rms`: standard deviation of Y / 255 (Peli, 1990).
- `visible`: the share of pixels whose alpha is not 0. The others count nowhere; for the sharpness
  neither do those beside them.

These are numbers to be read: Y is rounded as other programs have it, which is quick too. Those by
which `preprocess` corrects are in `levels.py`, which says what differs and why.
"""

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.depth import Pixels
from mediamill.media.image.numbers.planes import laplacian, shown_of

Bits = NDArray[np.uint8] | None
_PER_LEVEL = 257.0
_NEIGHBOURS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


@dataclass(frozen=True)
class Statistics:
    """The numbers; what they mean is said above. `luma` is Y as H×W, for what else needs it."""

    mean: tuple[float, ...]
    snr: tuple[float | None, ...]
    luminance: float
    sharpness: float
    contrast_michelson: float
    contrast_rms: float
    visible: float
    depth: int
    luma: Pixels


def statistics(pixels: Pixels) -> Statistics:
    """Return the numbers of H×W×3 or H×W×4 sRGB pixels of 8 or 16 bits."""
    deep = pixels.dtype == np.uint16
    unit = _PER_LEVEL if deep else 1.0
    planes = cv2.split(pixels)
    shown = shown_of(pixels)
    mask = None if shown is None else shown.view(np.uint8)
    luma = cast("Pixels", cv2.cvtColor(pixels, _TO_LUMA[len(planes)]))
    spreads = [_mean_and_deviation(plane, mask) for plane in planes[:3]]
    mean, deviation = _mean_and_deviation(luma, mask)
    low, high = _extremes(luma, mask)
    return Statistics(
        mean=tuple(m / unit for m, _ in spreads),
        snr=tuple(m / d if d > 0 else None for m, d in spreads),
        luminance=mean / unit,
        sharpness=_sharpness(luma, mask) / unit,
        contrast_michelson=(high - low) / (high + low) if high else 0.0,
        contrast_rms=deviation / unit / 255,
        visible=1.0 if mask is None else cv2.countNonZero(mask) / mask.size,
        depth=16 if deep else 8,
        luma=luma,
    )


_TO_LUMA = {3: cv2.COLOR_RGB2GRAY, 4: cv2.COLOR_RGBA2GRAY}


def _mean_and_deviation(plane: Any, mask: Bits) -> tuple[float, float]:
    mean, deviation = cv2.meanStdDev(plane, mask=mask)
    return float(mean[0][0]), float(deviation[0][0])


def _extremes(luma: Pixels, mask: Bits) -> tuple[float, float]:
    low, high, _, _ = cv2.minMaxLoc(luma, mask)
    return low, high


def _sharpness(luma: Pixels, mask: Bits) -> float:
    """Return the standard deviation of the Laplacian, in units of the depth; sums are quick."""
    edges = laplacian(luma)
    if mask is not None:
        inner: Any = cv2.erode(mask, _NEIGHBOURS, borderType=cv2.BORDER_REPLICATE)
        return _mean_and_deviation(edges, inner)[1]
    mean = cv2.sumElems(edges)[0] / edges.size
    squares = cv2.norm(edges, cv2.NORM_L2SQR) / edges.size
    return float(np.sqrt(max(0.0, squares - mean * mean)))
