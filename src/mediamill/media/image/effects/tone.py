"""Colours changed pixel by pixel: curves per channel, matrices across them, turns of the hue.

Neighbouring curves become one look-up, or one line where all of them are lines; so do neighbouring
matrices and turns of the hue. The latter run over some rows at a time, which stay in the cache.

Numbers are shares of white, 0…1; each curve clips to that as torchvision's functions do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.alpha import colours
from mediamill.media.image.depth import Pixels, top

Floats = NDArray[np.float64]
LUMA = (0.299, 0.587, 0.114)
"""Weights of grey (ITU-R BT.601), as torchvision, PIL and OpenCV have them."""
_ROWS = 64
"""Rows of a strip: with float colours it still fits the cache."""


@dataclass(frozen=True, eq=False)
class Lookup:
    """The same for each channel."""

    of: Callable[[Floats], Floats]


@dataclass(frozen=True)
class Line:
    """A rising line, the same for each channel: quicker than a look-up."""

    factor: float
    offset: float = 0.0

    def of(self, values: Floats) -> Floats:
        """Return what becomes of values."""
        return values * self.factor + self.offset


@dataclass(frozen=True, eq=False)
class Mix:
    """Each channel a weighted sum of all: 3×3."""

    matrix: Floats


@dataclass(frozen=True)
class Hue:
    """The hue (of HSV) turned by a share of the circle."""

    turn: float


Tone = Lookup | Line | Mix | Hue


def saturation(factor: float) -> Mix:
    """Blend with grey: 0 is grey, 1 the same (torchvision's `adjust_saturation`)."""
    return Mix(factor * np.eye(3) + (1 - factor) * np.tile(LUMA, (3, 1)))


def shuffle(order: Sequence[int]) -> Mix:
    """Put the channels into another order."""
    return Mix(np.eye(3)[list(order)])


def brightness(factor: float) -> Line:
    """Multiply (torchvision's `adjust_brightness`)."""
    return Line(factor)


def contrast(factor: float, mean: float) -> Line:
    """Spread about the mean of the grey picture (torchvision's `adjust_contrast`)."""
    return Line(factor, mean * (1 - factor))


def solarize(threshold: float, addition: float) -> Lookup:
    """Add, then turn into its negative what is not below the threshold (Kornia's `solarize`)."""

    def curve(x: Floats) -> Floats:
        moved = np.clip(x + addition, 0, 1)
        return np.where(moved < threshold, moved, 1 - moved)

    return Lookup(curve)


def posterize(bits: int) -> Lookup:
    """Keep the upper bits of eight (PIL's `ImageOps.posterize`)."""
    step = 2 ** (8 - bits)
    return Lookup(lambda x: np.floor(np.floor(x * 255 + 1e-6) / step) * step / 255)


def grey_mean(pixels: Pixels) -> float:
    """Return the mean of grey, 0…1."""
    means: Any = cv2.mean(pixels)
    return float(np.dot(LUMA, means[:3]) / top(pixels))


def recoloured(pixels: Pixels, tones: Sequence[Tone]) -> Pixels:
    """Return H×W×3 or 4 with tones applied in their order; alpha stays."""
    return colours(pixels, lambda part: _all(part, tones))


def _all(pixels: NDArray[Any], tones: Sequence[Tone]) -> NDArray[Any]:
    for kind, some in groupby(tones, _kind):
        pixels = _WORK[kind](pixels, cast("Any", tuple(some)))
    return pixels


def _kind(tone: Tone) -> type[Lookup | Mix | Hue]:
    return Lookup if isinstance(tone, Lookup | Line) else type(tone)


def _curved(pixels: NDArray[Any], tones: Sequence[Lookup | Line]) -> NDArray[Any]:
    lines = [tone for tone in tones if isinstance(tone, Line)]
    if len(lines) == len(tones):
        return _along(pixels, lines)
    most = top(pixels)
    values = np.arange(most + 1) / most
    for tone in tones:
        values = np.clip(tone.of(values), 0, 1)
    return cv2.LUT(pixels, np.rint(values * most).astype(pixels.dtype))


def _along(pixels: NDArray[Any], lines: Sequence[Line]) -> NDArray[Any]:
    """Return lines that follow each other, each clipped, as one line between two ends."""
    most, line, ends = top(pixels), Line(1.0), np.array([0.0, 1.0])
    for one in lines:
        line = Line(line.factor * one.factor, float(one.of(np.array([line.offset]))[0]))
        ends = np.clip(one.of(ends), 0, 1)
    matrix = np.hstack([line.factor * np.eye(3), np.full((3, 1), line.offset * most)])
    made: NDArray[Any] = cv2.transform(pixels, matrix)
    least, largest = np.rint(ends * most).astype(pixels.dtype)
    if (least, largest) != (0, most):
        np.clip(made, least, largest, out=made)
    return made


def _mixed(pixels: NDArray[Any], tones: Sequence[Mix]) -> NDArray[Any]:
    matrix = tones[0].matrix
    for tone in tones[1:]:
        matrix = tone.matrix @ matrix
    return cv2.transform(pixels, matrix)


def _turned(pixels: NDArray[Any], tones: Sequence[Hue]) -> NDArray[Any]:
    """Turn the hue as numbers with a point; OpenCV's is in degrees, from 0 to twice the circle."""
    made, shift = np.empty_like(pixels), np.float32(360 * (sum(tone.turn for tone in tones) % 1))
    for start in range(0, len(pixels), _ROWS):
        rows = pixels[start : start + _ROWS].astype(np.float32)
        hsv: Any = cv2.cvtColor(rows, cv2.COLOR_RGB2HSV)
        hue = hsv[:, :, 0]
        np.add(hue, shift, out=hue)
        back: Any = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        made[start : start + _ROWS] = np.rint(back, out=back)
    return made


_WORK: dict[type, Callable[[NDArray[Any], Any], NDArray[Any]]] = {
    Lookup: _curved, Mix: _mixed, Hue: _turned,
}  # fmt: skip
