"""Draw the places of the sample's pictures, and shapes in them: needs numpy, so only of workers."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.codecs.jpeg import encode_rgb

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
WIDTH, HEIGHT = 256, 192
_X, _Y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))


def place(number: int) -> Floats:
    """Return HEIGHT × WIDTH × 3 levels of the nth place; the same number gives the same."""
    draw = np.random.default_rng((5, number))
    dark, light = draw.uniform(10, 90, 3), draw.uniform(130, 245, 3)
    shade = _KINDS[number % len(_KINDS)](draw)[:, :, None]
    grain = _noise(draw, 3, 24)[:, :, None]
    mixed = dark + (light - dark) * np.clip(0.85 * shade + 0.15 * grain, 0, 1)
    return np.asarray(mixed, np.float32)


def _noise(draw: np.random.Generator, first: int, last: int) -> Floats:
    """Return soft noise, 0 … 1, from as many cells across to as many."""
    total, cells, weight = np.zeros((HEIGHT, WIDTH), np.float32), first, 1.0
    while cells <= last:
        grid = draw.standard_normal((cells, cells + cells // 3)).astype(np.float32)
        total += weight * cv2.resize(grid, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * 0.6
    return np.asarray((total - total.min()) / np.ptp(total), np.float32)


def _hills(draw: np.random.Generator) -> Floats:
    """Return five ranges of hills before a sky, the nearest the darkest."""
    shade = 1 - _Y / HEIGHT * 0.3
    for n in range(5):
        waves = draw.uniform(0.01, 0.06, 3)
        line = sum(np.sin(_X * wave + draw.uniform(0, 6)) * draw.uniform(5, 16) for wave in waves)
        shade = np.where(50 + 28 * n + line < _Y, 0.75 - 0.16 * n, shade)
    return np.asarray(shade, np.float32)


def _bricks(draw: np.random.Generator) -> Floats:
    """Return a wall of bricks of many shades."""
    high, wide = int(draw.integers(14, 26)), int(draw.integers(30, 56))
    row = (_Y + draw.integers(high)) // high
    across = _X + draw.integers(wide) + (row % 2) * wide / 2
    tones = draw.uniform(0.25, 0.95, (64, 64))
    shade = tones[row.astype(int) % 64, (across // wide).astype(int) % 64]
    joint = ((_Y + draw.integers(high)) % high < 2) | (across % wide < 2)
    return np.asarray(np.where(joint, 0.1, shade), np.float32)


def _windows(draw: np.random.Generator) -> Floats:
    """Return houses at night with lit windows."""
    shade, left = 0.25 * _Y / HEIGHT, 0
    while left < WIDTH:
        wide, top = int(draw.integers(28, 60)), int(draw.integers(10, 110))
        house = (left <= _X) & (left + wide > _X) & (top <= _Y)
        step = int(draw.integers(9, 15))
        lit = draw.uniform(0, 1, (32, 32)) > 0.5
        there = lit[((_Y - top) // step).astype(int) % 32, ((_X - left) // step).astype(int) % 32]
        pane = ((_X - left) % step > 3) & ((_Y - top) % step > 3) & there
        shade = np.where(house, np.where(pane, 0.95, draw.uniform(0.05, 0.35)), shade)
        left += wide
    return np.asarray(shade, np.float32)


def _woods(draw: np.random.Generator) -> Floats:
    """Return trunks before undergrowth."""
    shade = _noise(draw, 6, 48)
    for x in draw.uniform(0, WIDTH, 14):
        lean, wide = draw.uniform(-0.15, 0.15), draw.uniform(3, 12)
        away = np.abs(_X - x - lean * (_Y - HEIGHT)) / wide
        shade = np.where(away < 1, draw.uniform(0, 0.4) + 0.3 * (1 - away), shade)
    return np.asarray(shade, np.float32)


def _rocks(draw: np.random.Generator) -> Floats:
    """Return stones: each pixel has the shade of the nearest of many middles."""
    x, y = draw.uniform(0, WIDTH, 60), draw.uniform(0, HEIGHT, 60)
    away = (_X[:, :, None] - x) ** 2 + (_Y[:, :, None] - y) ** 2
    near = np.sqrt(np.partition(away, 1, axis=2)[:, :, :2])
    tone = draw.uniform(0.3, 1, 60)[away.argmin(axis=2)]
    return np.asarray(tone * np.clip((near[:, :, 1] - near[:, :, 0]) / 6, 0.1, 1), np.float32)


def _water(draw: np.random.Generator) -> Floats:
    """Return waves that grow towards the front."""
    depth = 4 + 60 * (_Y / HEIGHT) ** 2
    ripple = np.sin(400 / depth + 3 * _noise(draw, 4, 16) * draw.uniform(2, 6) + _X / depth)
    return np.asarray(0.5 + 0.3 * ripple + 0.4 * (_noise(draw, 5, 40) - 0.5), np.float32)


_KINDS = (_hills, _bricks, _windows, _woods, _rocks, _water)


def outline(points: list[tuple[float, float]], levels: Floats, ink: tuple[int, ...]) -> None:
    """Fill a polygon, whose corners are in pixels, in a picture, with a dark edge."""
    corners = np.rint(np.array(points) * 16).astype(np.int32)
    cv2.fillPoly(levels, [corners], ink, cv2.LINE_8, 4)
    cv2.polylines(levels, [corners], True, (25, 25, 25), 2, cv2.LINE_8, 4)


def blurred(levels: Floats) -> Floats:
    """Return the picture as if out of focus."""
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), 2.5), np.float32)


def encoded(levels: Floats, quality: int) -> bytes:
    """Return a picture as JPEG."""
    return encode_rgb(np.clip(np.rint(levels), 0, 255).astype(np.uint8), quality)
