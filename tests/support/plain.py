"""Pictures that show little: skies, walls, blank pages, screens of text, gradients.

No two are copies of each other, though many look the same at a glance. Every one follows from the
seed and its number.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.flat import FONT, LETTERS

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Random = np.random.Generator


def plain(seed: int, n: int) -> Pixels:
    """Return the nth picture; the kinds take turns."""
    kind = list(KINDS)[n % len(KINDS)]
    return KINDS[kind](np.random.default_rng((seed, 6, n)))


def _slope(draw: Random, width: int, height: int, turn: float) -> Floats:
    """Return 0 … 1, even across a direction, in degrees from upright."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    along = x * np.sin(np.deg2rad(turn)) + y * np.cos(np.deg2rad(turn))
    share = (along - along.min()) / np.ptp(along)
    return np.asarray(share ** draw.uniform(0.6, 1.7), np.float32)


def _coloured(share: Floats, first: NDArray[np.float64], last: NDArray[np.float64]) -> Floats:
    return np.asarray(first + share[:, :, None] * (last - first), np.float32)


def _clouds(draw: Random, width: int, height: int, cells: int) -> Floats:
    """Return smooth noise of standard deviation 1."""
    grid = draw.standard_normal((cells, cells * width // height + 1)).astype(np.float32)
    noise = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def _taken(draw: Random, light: Floats, noise: float) -> Pixels:
    """Return what a sensor makes of light."""
    grain = draw.standard_normal(light.shape).astype(np.float32) * noise
    return np.clip(np.rint(light + grain), 0, 255).astype(np.uint8)


def _sky(draw: Random) -> Pixels:
    """Return blue that gets lighter downwards, on some days with haze."""
    zenith, horizon = draw.uniform((50, 90, 150), (110, 150, 220)), draw.uniform(150, 235, 3)
    light = _coloured(_slope(draw, 480, 360, draw.uniform(-25, 25)), zenith, horizon)
    haze = draw.choice([0.0, 2.0, 6.0]) * _clouds(draw, 480, 360, int(draw.integers(3, 8)))
    return _taken(draw, light + haze[:, :, None], 1.5)


def _wall(draw: Random) -> Pixels:
    """Return plaster with a lamp's light on it."""
    x, y = np.meshgrid(np.linspace(0, 1, 480), np.linspace(0, 1, 360))
    far = (x - draw.uniform(-0.5, 1.5)) ** 2 + (y - draw.uniform(-0.5, 1.5)) ** 2
    lit = 1 / (1 + draw.uniform(0.1, 0.6) * far)
    plaster = 1 + 0.02 * _clouds(draw, 480, 360, 90)
    light = (lit * plaster)[:, :, None] * draw.uniform(140, 250, 3)
    return _taken(draw, light.astype(np.float32), 1.5)


def _blank(draw: Random) -> Pixels:
    """Return an empty page: as it was made, or scanned with a shadow at an edge."""
    page = np.full((594, 420, 3), draw.integers(235, 256), np.float32)
    if draw.uniform() < 0.3:
        return page.astype(np.uint8)
    wide = int(draw.integers(4, 40))
    page[:, :wide] -= np.linspace(draw.uniform(20, 80), 0, wide)[None, :, None]
    return _taken(draw, page, 0.7)


def _text(draw: Random) -> Pixels:
    """Return a window full of text, dark on light or light on dark; all have the same lines."""
    dark = draw.uniform() < 0.5
    picture = np.full((480, 640, 3), 30 if dark else 252, np.uint8)
    picture[:26] = 70 if dark else 225
    for y in range(48, 470, 16):
        left, right = 12 + 24 * int(draw.integers(4)), int(draw.integers(200, 630))
        line = "".join(draw.choice([*LETTERS, " ", " ", "(", ")", "_"], right // 8))
        wide = cv2.getTextSize(line, FONT, 0.4, 1)[0][0]
        line = line[: max(1, len(line) * (right - left) // max(1, wide))]
        ink = (210, 210, 210) if dark else (30, 30, 30)
        cv2.putText(picture, line, (left, y), FONT, 0.4, ink, 1, cv2.LINE_AA)
    return picture


def _gradient(draw: Random) -> Pixels:
    """Return a drawn ground that goes from one colour to another, straight or in rings."""
    first, last = draw.uniform(0, 255, (2, 3))
    share = _slope(draw, 480, 320, draw.uniform(0, 360))
    if draw.uniform() < 0.4:
        x, y = np.meshgrid(np.linspace(0, 1, 480), np.linspace(0, 1, 320))
        share = np.hypot(x - draw.uniform(), y - draw.uniform()).astype(np.float32)
        share /= share.max()
    return np.rint(_coloured(share, first, last)).astype(np.uint8)


KINDS: dict[str, Callable[[Random], Pixels]] = {
    "sky": _sky,
    "wall": _wall,
    "blank": _blank,
    "text": _text,
    "gradient": _gradient,
}
