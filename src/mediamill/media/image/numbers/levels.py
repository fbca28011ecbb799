"""Numbers by which pictures of a set are compared: brightness, contrast, colour, sharpness, noise.

Taken over all pixels that show, at full depth, as shares of white. Hue and saturation are those of
HSV; the mean hue is that of vectors whose length is the chroma (max − min), since hues lie on a
circle and grey has none. Noise is that of Immerkær, "Fast noise variance estimation", 1996.
"""

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.depth import Pixels, top
from mediamill.media.image.effects.tone import LUMA

Floats = NDArray[np.float32]

_ROWS = 256
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def levels(pixels: Pixels) -> dict[str, float]:
    """Measure H×W×3 or 4: see the module; `hue` in turns (0…1), `chroma` is how plain it is.

    `range` is what the middle 98 % of grey span.
    """
    grey, shown = luma(pixels), visible(pixels)
    seen = grey if shown is None else grey[shown]
    hue, chroma, saturation = _colour(pixels, shown)
    low, high = np.percentile(seen[:: max(1, seen.size // 1_000_000)], (1, 99))
    found = {
        "brightness": float(seen.mean(dtype=np.float64)),
        "contrast": float(seen.std(dtype=np.float64)),
        "range": float(high - low),
        "saturation": saturation,
        "hue": hue,
        "chroma": chroma,
        "sharpness": float(laplacian(grey).std(dtype=np.float64)),
        "noise": noise(grey),
    }
    return {name: round(value, 7) for name, value in found.items()}


def visible(pixels: Pixels) -> NDArray[np.bool_] | None:
    """Return where a picture shows (H×W); None for everywhere, also where nothing does."""
    if pixels.shape[2] == 3:
        return None
    shown = pixels[:, :, 3] > 0
    return shown if shown.any() and not shown.all() else None


def luma(pixels: NDArray[Any]) -> Floats:
    """Return grey (H×W, 0…1) of integers or of floats that are shares of white already."""
    scale = 1.0 if pixels.dtype == np.float32 else 1.0 / top(pixels)
    made = np.empty(pixels.shape[:2], np.float32)
    matrix = np.array([LUMA], np.float32) * np.float32(scale)
    for start in range(0, len(pixels), _ROWS):
        rows = np.ascontiguousarray(pixels[start : start + _ROWS, :, :3], np.float32)
        made[start : start + _ROWS] = cv2.transform(rows, matrix).reshape(rows.shape[:2])
    return made


def laplacian(grey: Floats) -> Floats:
    """Return the Laplacian (4 neighbours, mirrored at the edges)."""
    return cast("Floats", cv2.Laplacian(grey, cv2.CV_32F))


def noise(grey: Floats) -> float:
    """Estimate the standard deviation of noise in grey; 0 for less than 3×3 pixels."""
    if min(grey.shape) < 3:
        return 0.0
    found = np.abs(cv2.filter2D(grey, -1, _IMMERKAER)[1:-1, 1:-1])
    return float(math.sqrt(math.pi / 2) / 6 * found.mean(dtype=np.float64))


def strip_hsv(rows: NDArray[Any]) -> Floats:
    """Return HSV of some rows of colours: hue in degrees, the others 0…1."""
    scaled = np.multiply(rows[:, :, :3], np.float32(1 / top(rows)), dtype=np.float32)
    return cast("Floats", cv2.cvtColor(scaled, cv2.COLOR_RGB2HSV))


def _colour(pixels: Pixels, shown: NDArray[np.bool_] | None) -> tuple[float, float, float]:
    """Return the mean hue in turns, how long its vector is, and the mean saturation."""
    x = y = saturation = 0.0
    count = pixels.shape[0] * pixels.shape[1] if shown is None else int(shown.sum())
    for start in range(0, len(pixels), _ROWS):
        hsv = strip_hsv(pixels[start : start + _ROWS])
        if shown is not None:
            hsv = hsv[shown[start : start + _ROWS]]
        hue, chroma = np.radians(hsv[..., 0]), hsv[..., 1] * hsv[..., 2]
        x += float((chroma * np.cos(hue)).sum(dtype=np.float64))
        y += float((chroma * np.sin(hue)).sum(dtype=np.float64))
        saturation += float(hsv[..., 1].sum(dtype=np.float64))
    turn = math.atan2(y, x) / (2 * math.pi) % 1
    return turn, math.hypot(x, y) / count, saturation / count
