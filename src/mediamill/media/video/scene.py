"""Find the shots of a video, and the frame that shows each best.

Every frame is made small once and compared with some before it; what is kept are a few numbers per
frame and the small pictures of one second, so memory does not grow with the video's pixels.

- A **cut** is a frame whose difference from the one before reaches the threshold and stands out
  from those around it, which keeps pans and shaking cameras from counting. The difference is the
  mean one of luma and chroma, as in the content and adaptive detectors of PySceneDetect (its
  documentation, "Detection Algorithms"), together with that of the luma histogram.
- A picture that only gets brighter or darker is none: its luma stays correlated.
- A **flash** is a cut after which the picture before it comes back: none.
- A **fade** through black is one boundary, where the picture returns.
- A **dissolve** is a boundary in the middle of a second at whose ends the pictures differ while the
  middle is the mean of both, which no movement does.

The frame given for a shot is the sharpest (variance of the Laplacian; Pech-Pacheco and others,
2000) of its inner four fifths, the first of equals; black ones only where there is nothing else.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from typing import Any, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from mediamill.media.video.colour import jpeg_planes, rgb

Small = NDArray[np.float32]
_DETAIL, _SMALL = (320, 180), (48, 27)
_BINS = 32
_STANDS_OUT = 2.5
"""How many times the mean difference of the neighbours a cut's must be."""
_FLASH, _SECOND = 0.2, 1.0
"""Seconds until the picture is back after a flash; the window for dissolves."""
_BACK = 0.4
"""Share of a cut's difference below which the picture before it is taken to be back."""
_MOST_WINDOW = 60
"""Frames that are kept at most."""
_MIXED = 0.15
"""Share of the difference by which the middle of a dissolve may miss the mean of its ends."""
_SAME, _FADED = 0.95, 0.8
"""Correlation from which two pictures are one in other light: adjacent ones, a second apart."""
_DIM = 0.25
"""Share of the brighter end's luma below which the darker end of a window counts as faded."""
_BLACK = 20.0
"""Mean luma plus its deviation, of 255, of a black frame."""


@dataclass(frozen=True)
class Shot:
    """Frames `first … last` (exclusive), and the one that shows the shot best."""

    first: int
    last: int
    best: int


@dataclass
class Signs:
    """What is remembered of every frame, in order; differences are 0…1."""

    step: "array[float]" = field(default_factory=lambda: array("f"))
    """From the frame before."""
    back: "array[float]" = field(default_factory=lambda: array("f"))
    """Between the frame before it and the one `_FLASH` after it."""
    apart: "array[float]" = field(default_factory=lambda: array("f"))
    """Between the ends of the window around it."""
    mixed: "array[float]" = field(default_factory=lambda: array("f"))
    """Between it and the mean of those ends."""
    sharp: "array[float]" = field(default_factory=lambda: array("f"))
    black: bytearray = field(default_factory=bytearray)
    flash: int = 1
    """How many frames a flash may last."""
    half: int = 2
    """Frames on either side of the window for dissolves."""


def signs(frames: Iterable[VideoFrame], lasting: float) -> Signs:
    """Look at each frame once; `lasting` is how many seconds one is usually shown."""
    flash = max(1, min(_MOST_WINDOW // 4, round(_FLASH / lasting)))
    half = max(2, min(_MOST_WINDOW, round(_SECOND / lasting)) // 2)
    result = Signs(flash=flash, half=half)
    kept: deque[Small] = deque(maxlen=2 * half + 1)
    for frame in frames:
        _look(frame, kept, result)
        result.back.append(_difference(kept[-1], kept[-flash - 2]) if len(kept) > flash + 1 else 1)
        full = len(kept) == 2 * half + 1
        result.apart.append(_plain(kept[0], kept[-1]) if full else 0)
        mean = (kept[0] + kept[-1]) * np.float32(0.5)
        whole = full and not _faded(kept[0], kept[-1])
        result.mixed.append(_plain(kept[half], mean) if whole else 1)
    for numbers, ahead, filler in (
        (result.back, flash, 1.0),
        (result.apart, half, 0.0),
        (result.mixed, half, 1.0),
    ):
        del numbers[:ahead]
        numbers.extend([filler] * (len(result.black) - len(numbers)))
    return result


def shots(found: Signs, times: "array[float]", threshold: float, min_shot: float) -> list[Shot]:
    """Return the shots, of at least `min_shot` seconds but for the first, in order.

    `times` are seconds, one for each frame.
    """
    bounds = [0]
    for n in sorted({*_cuts(found, threshold), *_dissolves(found, threshold)}):
        if times[n] - times[bounds[-1]] >= min_shot - 1e-6:
            bounds.append(n)
    if len(bounds) > 1 and times[-1] - times[bounds[-1]] < min_shot / 2:
        bounds.pop()
    bounds.append(len(found.black))
    return [Shot(first, last, _best(found, first, last)) for first, last in pairwise(bounds)]


def _look(frame: VideoFrame, kept: "deque[Small]", result: Signs) -> None:
    planes = jpeg_planes(frame, *_DETAIL)
    if planes is None:
        coded = cv2.cvtColor(rgb(frame, *_DETAIL)[:, :, :3], cv2.COLOR_RGB2YCrCb)
        planes = cast("Any", cv2.split(coded))
    luma = cast("Any", planes)[0]
    small = np.stack([cv2.resize(plane, _SMALL, interpolation=cv2.INTER_AREA) for plane in planes])
    kept.append(small.astype(np.float32))
    result.step.append(_difference(kept[-2], kept[-1]) if len(kept) > 1 else 0.0)
    result.sharp.append(float(cv2.Laplacian(luma, cv2.CV_32F).var()))
    result.black.append(float(luma.mean()) + float(luma.std()) < _BLACK)


def _difference(one: Small, other: Small) -> float:
    """Return the geometric mean of the plain difference and that of the luma histograms, 0…1.

    The histogram of an even picture leaps with the slightest change of light, so the plain one
    bounds it.
    """
    if _alike(one[0], other[0]) > _SAME:
        return _plain(one[1:], other[1:])
    plain = _plain(one, other)
    return min(sqrt(plain * _histogram(one, other)), 3 * plain)


def _plain(one: Small, other: Small) -> float:
    """Return the mean absolute differences of the planes, added, 0…1."""
    return min(1.0, float(np.abs(one - other).sum() / (one[0].size * 255)))


def _faded(one: Small, other: Small) -> bool:
    """Tell whether two pictures may be one in other light, or one of them all but black."""
    low, high = sorted((float(one[0].mean()), float(other[0].mean())))
    return low < _DIM * high or _alike(one[0], other[0]) > _FADED


def _alike(one: Small, other: Small) -> float:
    """Return how two planes correlate, -1…1; 0 for planes without detail."""
    one, other = one - one.mean(), other - other.mean()
    power = float((one * one).mean() * (other * other).mean())
    return float((one * other).mean()) / sqrt(power) if power > 1 else 0.0


def _histogram(one: Small, other: Small) -> float:
    a, b = (np.histogram(small[0], _BINS, (0, 256))[0].astype(np.float32) for small in (one, other))
    smooth = (0.25, 0.5, 0.25)
    apart = np.abs(np.convolve(a, smooth, "same") - np.convolve(b, smooth, "same")).sum()
    return float(apart / (2 * one[0].size))


def _cuts(found: Signs, threshold: float) -> list[int]:
    """Return the first frames after cuts; a flash's two ends are none."""
    cuts, calm = [], 0
    for n in range(1, len(found.step)):
        dark = found.black[n - 1] and found.black[n]
        if n < calm or dark or found.step[n] < threshold or not _stands_out(found.step, n):
            continue
        if found.back[n] < _BACK * found.step[n]:
            calm = n + found.flash + 1
        else:
            cuts.append(n)
    return sorted({*cuts, *_fades(found, cuts)})


def _stands_out(step: "array[float]", n: int) -> bool:
    around = [step[m] for m in (n - 2, n - 1, n + 1, n + 2) if 0 < m < len(step)]
    return not around or step[n] >= _STANDS_OUT * sum(around) / len(around)


def _fades(found: Signs, cuts: list[int]) -> list[int]:
    """Return where the picture comes back after black, unless a cut led into or out of it."""
    ends, start = [], None
    for n, black in enumerate(found.black):
        if black and start is None:
            start = n
        elif not black and start is not None:
            if start and bisect_left(cuts, start) == bisect_left(cuts, n + 1):
                ends.append(n)
            start = None
    return ends


def _dissolves(found: Signs, threshold: float) -> list[int]:
    """Return the middles of dissolves."""
    middles: list[int] = []
    for n, apart in enumerate(found.apart):
        if apart < 2 * threshold or found.mixed[n] > _MIXED * apart:
            continue
        if middles and n - middles[-1] <= 2 * found.half:
            middles[-1] = max(middles[-1], n, key=found.apart.__getitem__)
        else:
            middles.append(n)
    return middles


def _best(found: Signs, first: int, last: int) -> int:
    """Return the sharpest frame of a shot."""
    margin = (last - first) // 10
    inner = range(first + margin, last - margin)
    lit = [n for n in inner if not found.black[n]] or list(inner)
    return max(lit, key=found.sharp.__getitem__)
