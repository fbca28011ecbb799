"""Bring one number of a picture (`levels`) to a target; each returns pixels of the same depth.

What does it is a curve or a factor whose strength is found by halving an interval, or solved for.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.alpha import colours, rounded, strips, widened
from mediamill.media.image.depth import Pixels, top
from mediamill.media.image.effects.tone import LUMA, Hue, Lookup, recoloured
from mediamill.media.image.numbers.levels import Thinning, luma, strip_hsv, visible
from mediamill.media.image.numbers.planes import laplacian

_HALVINGS = 40
_SAMPLE = 60_000
"""Pixels on which the strength of a curve is tried."""
_ROWS = 64
_SIGMA = 1.0
"""Of the blur that an unsharp mask takes off, in pixels."""
_REACH = 4
"""Rows that OpenCV looks at beside a pixel for it."""
MOST_SHARPENING = 5.0


def brightened(pixels: Pixels, target: float) -> Pixels:
    """Bring the mean of grey to a target (0…1) by a gamma curve, so that black and white stay."""
    most, shown = top(pixels), visible(pixels)
    mask = None if shown is None else shown.astype(np.uint8)
    counts = [
        cv2.calcHist([pixels], [channel], mask, [most + 1], [0, most + 1]).reshape(-1).astype(float)
        for channel in range(3)
    ]
    values = np.arange(most + 1) / most

    def mean(power: float) -> float:
        curve = values ** math.exp(-power)
        sums = (w * (n @ curve) / n.sum() for w, n in zip(LUMA, counts, strict=True))
        return float(sum(sums))

    power = math.exp(-_solved(mean, target, -2.5, 2.5))
    return recoloured(pixels, [Lookup(lambda x: x**power)])


def contrasted(pixels: Pixels, target: float) -> Pixels:
    """Bring the standard deviation of grey to a target by a sigmoid about its mean.

    The curve is ImageMagick's `-sigmoidal-contrast`, or its inverse where there is too much.
    """
    sample = _sampled(pixels)
    middle = float(np.clip(luma(sample).mean(), 0.02, 0.98))

    def spread(strength: float) -> float:
        return float(luma(recoloured(sample, [sigmoid(strength, middle)])).std())

    strength = _solved(spread, target, -20.0, 20.0, halvings=20)
    return recoloured(pixels, [sigmoid(strength, middle)])


def sigmoid(strength: float, middle: float) -> Lookup:
    """Return the curve that raises contrast about a middle, or lowers it below a strength of 0."""
    size = abs(strength)
    if size < 1e-3:
        return Lookup(lambda x: x)
    low, high = _logistic(-size * middle), _logistic(size * (1 - middle))

    def up(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 / (1 + np.exp(-size * (x - middle))) - low) / (high - low)

    def down(x: NDArray[np.float64]) -> NDArray[np.float64]:
        share = np.clip(x * (high - low) + low, 1e-12, 1 - 1e-12)
        return np.clip(middle - np.log(1 / share - 1) / size, 0, 1)

    return Lookup(up if strength > 0 else down)


def saturated(pixels: Pixels, target: float) -> Pixels:
    """Bring the mean saturation to a target by one factor for all, full saturation staying so."""
    factor = _saturation_factor(pixels, target)

    def work(part: NDArray[Any]) -> NDArray[Any]:
        made = np.empty_like(part)
        for start in range(0, len(part), _ROWS):
            rows = part[start : start + _ROWS].astype(np.float32)
            red, green, blue = cv2.split(rows)  # NumPy's max over three takes ten times as long
            value = cv2.max(cv2.max(red, green), blue)[:, :, None]
            least = cv2.min(cv2.min(red, green), blue)[:, :, None]
            full = value / np.maximum(value - least, 1e-9)
            moved = value - np.minimum(factor, full) * (value - rows)
            made[start : start + _ROWS] = np.clip(np.rint(moved), 0, top(part))
        return made

    return colours(pixels, work)


def _saturation_factor(pixels: Pixels, target: float) -> float:
    bins, counts = 4096, np.zeros(4096, np.int64)
    shown = visible(pixels)
    for start in range(0, len(pixels), _ROWS):
        found = strip_hsv(pixels[start : start + _ROWS])[:, :, 1]
        if shown is not None:
            found = found[shown[start : start + _ROWS]]
        places = (np.clip(found, 0, 1) * (bins - 1) + 0.5).astype(np.int64)
        counts += np.bincount(places.ravel(), minlength=bins)
    shares = np.arange(bins) / (bins - 1)

    def mean(log: float) -> float:
        return float(counts @ np.minimum(1, math.exp(log) * shares)) / max(1, int(counts.sum()))

    return math.exp(_solved(mean, target, -6.0, 4.0)) if target > 0 else 0.0


def hue_turned(pixels: Pixels, turn: float) -> Pixels:
    """Turn the hue by a share of the circle."""
    return recoloured(pixels, [Hue(turn)])


def sharpened(pixels: Pixels, target: float) -> Pixels:
    """Bring the standard deviation of the Laplacian to a target by an unsharp mask, or by a blur.

    The Laplacian of `x + a (x − blurred)` is linear in `a`, so `a` (−1…5) solves a square.
    """
    return colours(pixels, lambda part: _unsharp(cast("Pixels", part), target))


def _unsharp(part: Pixels, target: float) -> Pixels:
    a, b, c = _sharpening(part)
    c -= target**2
    if a <= 0:
        return part
    amount = (-b + math.sqrt(max(0.0, b * b - a * c))) / a
    amount = min(MOST_SHARPENING, max(-1.0, amount))
    made = np.empty_like(part)
    for rows in strips(len(part)):
        outer, inner = widened(rows, _REACH, len(part))
        whole, edges = _edges(part[outer])
        made[rows] = rounded((whole + np.float32(amount) * edges)[inner] * top(part), part)
    return made


def _edges(part: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return pixels as shares of white, and what an unsharp mask adds to them."""
    whole = part.astype(np.float32) / np.float32(top(part))
    return whole, cast("NDArray[np.float32]", whole - cv2.GaussianBlur(whole, (0, 0), _SIGMA))


def _sharpening(part: Pixels) -> tuple[float, float, float]:
    """Return the variance of the edges' Laplacian, their covariance, and the picture's variance."""
    sums, count = np.zeros(5), part.shape[0] * part.shape[1]
    for rows in strips(len(part)):
        outer, inner = widened(rows, _REACH + 1, len(part))
        planes = (laplacian(luma(each))[inner].ravel() for each in _edges(part[outer]))
        here, change = (plane.astype(np.float64) for plane in planes)
        sums += (change @ change, here @ change, here @ here, change.sum(), here.sum())
    aa, ab, bb, a, b = sums / count
    return float(aa - a * a), float(ab - a * b), float(bb - b * b)


def equalized(pixels: Pixels, *, clahe: bool = False) -> Pixels:
    """Spread the histogram of the luma evenly, over the whole or tile by tile (CLAHE)."""

    def work(part: NDArray[Any]) -> NDArray[Any]:
        plane, made = np.empty(part.shape[:2], part.dtype), np.empty_like(part)
        for rows in strips(len(part)):
            plane[rows] = cv2.cvtColor(part[rows], cv2.COLOR_RGB2YCrCb)[:, :, 0]
        plane = cv2.createCLAHE(2.0, (8, 8)).apply(plane) if clahe else _evenly(plane)
        for rows in strips(len(part)):
            mixed = cv2.cvtColor(part[rows], cv2.COLOR_RGB2YCrCb)
            mixed[:, :, 0] = plane[rows]
            made[rows] = cv2.cvtColor(mixed, cv2.COLOR_YCrCb2RGB)
        return made

    return colours(pixels, work)


def _evenly(plane: NDArray[Any]) -> NDArray[Any]:
    """Map each value to its share of those that are not the least one (as `equalizeHist`)."""
    most = top(plane)
    parts = (plane[rows].ravel() for rows in strips(len(plane)))
    below = np.cumsum(sum(np.bincount(part, minlength=most + 1) for part in parts))
    least = int(below[plane.min()])
    if least == plane.size:
        return plane
    table = np.clip((below - least) / (plane.size - least), 0, 1)
    return cast("NDArray[Any]", np.rint(table * most).astype(plane.dtype)[plane])


def denoised(pixels: Pixels, strength: float) -> Pixels:
    """Take off noise of about a standard deviation (0…1); edges stay (bilateral, 5×5)."""

    def work(part: NDArray[Any]) -> NDArray[Any]:
        made = np.empty_like(part)
        for rows in strips(len(part)):
            outer, inner = widened(rows, 2, len(part))
            whole = part[outer].astype(np.float32) / np.float32(top(part))
            calm = cv2.bilateralFilter(whole, 5, 3 * strength, 2.0)[inner]
            made[rows] = rounded(calm * top(part), cast("Pixels", part))
        return made

    return colours(pixels, work)


def greyed(pixels: Pixels) -> Pixels:
    """Return the luma in all three channels."""

    def work(part: NDArray[Any]) -> NDArray[Any]:
        made = np.empty_like(part)
        for rows in strips(len(part)):
            grey = rounded(luma(part[rows]) * top(part), cast("Pixels", part))
            made[rows] = grey[:, :, None]
        return made

    return colours(pixels, work)


def _sampled(pixels: Pixels) -> Pixels:
    """Return some of the pixels that show, as one row."""
    shown, width = visible(pixels), pixels.shape[2]
    count = pixels.shape[0] * pixels.shape[1] if shown is None else np.count_nonzero(shown)
    thin = Thinning(max(1, int(count) // _SAMPLE))
    parts = [
        thin.of(pixels[rows].reshape(-1, width) if shown is None else pixels[rows][shown[rows]])
        for rows in strips(len(pixels))
    ]
    return cast("Pixels", np.ascontiguousarray(np.concatenate(parts)[None, :, :3]))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _solved(
    rising: Callable[[float], float], target: float, low: float, high: float,
    halvings: int = _HALVINGS,
) -> float:  # fmt: skip
    """Return where a rising function meets a target, or the end of the interval next to it."""
    for _ in range(halvings):
        middle = (low + high) / 2
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2
