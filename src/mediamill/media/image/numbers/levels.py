"""Numbers by which pictures of a set are compared: brightness, contrast, colour, sharpness, noise.

Taken at full depth, as shares of white; all but sharpness and noise over the pixels that show. Hue
and saturation are those of HSV; the mean hue is that of vectors whose length is the chroma
(max − min), since hues lie on a circle and grey has none. Noise is that of Immerkær, "Fast noise
variance estimation", 1996.

They are what the corrections of `preprocess` bring to a target, so they measure what those change:
grey that is not rounded, for rounding is detail that no filter made, and the Laplacian over hidden
pixels too, which a filter does not pass over. `statistics.py` has the numbers of a health check,
which people read and compare elsewhere: of Y as other programs have it, rounded, and of what shows
alone. On a smooth picture of 8 bits the two kinds of sharpness differ by half.

A picture is gone through once, some rows at a time: numbers between would take more room than it.
"""

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.alpha import strips, widened
from mediamill.media.image.depth import Pixels, top
from mediamill.media.image.effects.tone import LUMA
from mediamill.media.image.numbers.planes import Mask, laplacian, shown_of

Floats = NDArray[np.float32]

_SAMPLE = 1_000_000
"""Pixels, about, of which the span is told."""
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


class _Mean:
    """The mean of numbers that come in parts, summed in doubles; 0 of none."""

    def __init__(self) -> None:
        self._count, self._total = 0, 0.0

    def add(self, values: Floats) -> None:
        self._count += values.size
        self._total += float(values.sum(dtype=np.float64))

    @property
    def mean(self) -> float:
        return self._total / max(1, self._count)


class _Spread(_Mean):
    """Their standard deviation as well."""

    def __init__(self) -> None:
        super().__init__()
        self._squares = 0.0

    def add(self, values: Floats) -> None:
        super().add(values)
        self._squares += cv2.norm(values, cv2.NORM_L2SQR) if values.size else 0.0

    @property
    def deviation(self) -> float:
        return math.sqrt(max(0.0, self._squares / max(1, self._count) - self.mean**2))


def levels(pixels: Pixels) -> dict[str, float]:
    """Measure H×W×3 or 4: see the module; `hue` in turns (0…1), `chroma` is how plain it is."""
    shown = visible(pixels)
    grey, edges, noise, colour = _Spread(), _Spread(), _Mean(), _Colour()
    for rows in strips(len(pixels)):
        outer, inner = widened(rows, 1, len(pixels))
        wide = luma(pixels[outer])
        grey.add(_seen(wide[inner], shown, rows))
        edges.add(laplacian(wide)[inner])
        noise.add(_immerkaer(wide, inner, rows, len(pixels)))
        colour.add(_seen(strip_hsv(pixels[rows]), shown, rows))
    found = {
        "brightness": grey.mean,
        "contrast": grey.deviation,
        "saturation": colour.saturation.mean,
        "hue": colour.hue,
        "chroma": colour.chroma,
        "sharpness": edges.deviation,
        "noise": math.sqrt(math.pi / 2) / 6 * noise.mean,
    }
    return {name: round(value, 7) for name, value in found.items()}


def span(pixels: Pixels) -> float:
    """Return what the middle 98 % of the grey of H×W×3 or 4 span (0…1).

    It takes as long as a third of the other numbers, and few ask for it.
    """
    shown = visible(pixels)
    thin = Thinning(max(1, _count(pixels, shown) // _SAMPLE))
    parts = (_seen(luma(pixels[rows]), shown, rows) for rows in strips(len(pixels)))
    sample = [thin.of(part) for part in parts]  # rows, or pixels where not all of them show
    low, high = np.percentile(np.concatenate(sample), (1, 99))
    return round(float(high - low), 7)


def visible(pixels: Pixels) -> Mask:
    """Return where a picture shows (H×W); None for everywhere, also where nothing does."""
    shown = shown_of(pixels)
    return shown if shown is not None and shown.any() else None


def luma(pixels: NDArray[Any]) -> Floats:
    """Return grey (H×W, 0…1) of integers or of floats that are shares of white already."""
    scale = 1.0 if pixels.dtype == np.float32 else 1.0 / top(pixels)
    made = np.empty(pixels.shape[:2], np.float32)
    matrix = np.array([LUMA], np.float32) * np.float32(scale)
    for rows in strips(len(pixels)):
        part = np.ascontiguousarray(pixels[rows, :, :3], np.float32)
        made[rows] = cv2.transform(part, matrix).reshape(part.shape[:2])
    return made


class Thinning:
    """Takes every so-manieth of things that come in parts."""

    def __init__(self, step: int) -> None:
        self._step, self._ahead = step, 0

    def of(self, part: NDArray[Any]) -> NDArray[Any]:
        """Return those of the next part."""
        found = part[self._ahead :: self._step]
        self._ahead = (self._ahead - len(part)) % self._step
        return found


def strip_hsv(rows: NDArray[Any]) -> Floats:
    """Return HSV of some rows of colours: hue in degrees, the others 0…1."""
    scaled = np.multiply(rows[:, :, :3], np.float32(1 / top(rows)), dtype=np.float32)
    return cast("Floats", cv2.cvtColor(scaled, cv2.COLOR_RGB2HSV))


class _Colour:
    """The mean hue and saturation of HSV that comes in parts (N×3)."""

    def __init__(self) -> None:
        self.saturation, self._x, self._y = _Mean(), _Mean(), _Mean()

    def add(self, hsv: Floats) -> None:
        hue, chroma = np.radians(hsv[..., 0]), hsv[..., 1] * hsv[..., 2]
        self._x.add(chroma * np.cos(hue))
        self._y.add(chroma * np.sin(hue))
        self.saturation.add(hsv[..., 1])

    @property
    def hue(self) -> float:
        return math.atan2(self._y.mean, self._x.mean) / (2 * math.pi) % 1

    @property
    def chroma(self) -> float:
        return math.hypot(self._x.mean, self._y.mean)


def _count(pixels: Pixels, shown: Mask) -> int:
    return pixels.shape[0] * pixels.shape[1] if shown is None else int(np.count_nonzero(shown))


def _seen(part: Floats, shown: Mask, rows: slice) -> Floats:
    """Return what shows of some rows."""
    return part if shown is None else part[shown[rows]]


def _immerkaer(wide: Floats, inner: slice, rows: slice, height: int) -> Floats:
    """Return what Immerkær's filter finds in rows, without the edges of the picture."""
    found = np.abs(cv2.filter2D(wide, -1, _IMMERKAER))[inner, 1:-1]
    return cast("Floats", found[int(rows.start == 0) : len(found) - int(rows.stop == height)])
