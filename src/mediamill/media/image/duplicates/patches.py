"""Find points of a picture that are found again in a changed one, and what is around them."""

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]

POINTS = 160
"""The most that a picture has."""
SCALE, LEVELS = 1.2, 8
"""Points are looked for in pictures that get smaller by this factor, so many times."""
_PATCH, _SPACING = 16, 2.0
"""A patch has so many samples to each side, so many pixels of its level apart."""
_NARROW = _PATCH * _SPACING
"""A picture with a shorter side than this has no points: there is no room for a patch."""
_CELLS = 8
"""Points are taken from so many columns and rows in turn, the strongest first."""
_THRESHOLDS = (20, 5)


def points_of(picture: Grey) -> Floats:
    """Return x, y, degrees and level of points that are spread over the picture, n × 4."""
    if min(picture.shape) < _NARROW:
        return np.zeros((0, 4), np.float32)
    for threshold in _THRESHOLDS:
        finder = cv2.ORB.create(
            2 * POINTS, SCALE, LEVELS, edgeThreshold=8, patchSize=15, fastThreshold=threshold
        )
        keys = finder.detect(picture, None)
        if len(keys) >= POINTS:
            break
    rows = [(*key.pt, key.angle, key.octave, key.response) for key in keys]
    found = np.array(rows, np.float32).reshape(-1, 5)
    return found[_spread(found, picture.shape)][:POINTS, :4]


def _spread(found: Floats, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return an order: the strongest of each cell first, then the second of each, and so on."""
    column = (found[:, 0] * _CELLS / shape[1]).astype(np.int64)
    row = (found[:, 1] * _CELLS / shape[0]).astype(np.int64)
    cell = row * _CELLS + column
    order = np.lexsort((-found[:, 4], cell))
    first = np.searchsorted(cell[order], cell[order])
    rank = np.arange(len(order)) - first
    return order[np.lexsort((-found[order, 4], rank))]


def _frequencies() -> list[tuple[int, int]]:
    """Return the 64 lowest (along, across), without those that position and direction fix."""
    every = [(u, v) for u in range(12) for v in range(12) if (u, v) not in {(0, 0), (1, 0), (0, 1)}]
    return sorted(every, key=lambda pair: (pair[0] ** 2 + pair[1] ** 2, pair))[:64]


FREQUENCIES = _frequencies()
MIRROR = np.uint64(sum(1 << n for n, (_, across) in enumerate(FREQUENCIES) if across % 2))
"""The bits of a word that a mirrored patch has the other way."""


def _basis() -> Floats:
    """Return (samples of a patch) × 64: cosines under a window."""
    step = (np.arange(_PATCH) + 0.5) / _PATCH
    waves = np.cos(np.pi * np.outer(np.arange(12), step))
    window = np.outer(*(2 * [np.exp(-0.5 * ((step - 0.5) / 0.3) ** 2)]))
    flat = [window * np.outer(waves[v], waves[u]) for u, v in FREQUENCIES]
    whole = np.stack([wave.ravel() for wave in flat], 1)
    return cast("Floats", (whole - whole.mean(0)).astype(np.float32))


_BASIS = _basis()
_OFFSETS = ((np.arange(_PATCH) - (_PATCH - 1) / 2) * _SPACING).astype(np.float32)
_ALONG, _ACROSS = (grid.reshape(1, -1) for grid in np.meshgrid(_OFFSETS, _OFFSETS))


def words_of(picture: Grey, found: Floats) -> NDArray[np.uint64]:
    """Return the word of the patch around each point, turned to the point's direction.

    All levels lie below each other in one picture, so that all patches are taken at once.
    """
    levels, tops = _levels(picture)
    level = found[:, 3].astype(np.int64)
    factor, turn = SCALE ** found[:, 3], np.deg2rad(found[:, 2])
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    centre = (found[:, :2] + 0.5) / factor[:, None] - 0.5
    x = centre[:, :1] + cos * _ALONG - sin * _ACROSS
    y = centre[:, 1:] + sin * _ALONG + cos * _ACROSS
    sizes = np.array([_level_size(picture, n) for n in range(LEVELS)], np.float32)[level]
    x = np.clip(x, 0, sizes[:, :1] - 1)
    y = np.clip(y, 0, sizes[:, 1:] - 1) + tops[level][:, None]
    patches = cv2.remap(levels, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    bits = patches.astype(np.float32) @ _BASIS > 0
    return np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)


def _level_size(picture: Grey, level: int) -> tuple[int, int]:
    """Return width and height of a level."""
    height, width = picture.shape
    return max(1, round(width / SCALE**level)), max(1, round(height / SCALE**level))


def _levels(picture: Grey) -> tuple[Grey, Floats]:
    """Return all levels below each other, smoothed for the spacing, and where each begins."""
    sizes = [_level_size(picture, level) for level in range(LEVELS)]
    tops = np.cumsum([0, *(high for _, high in sizes)])
    whole = np.zeros((int(tops[-1]), picture.shape[1]), np.uint8)
    level: Any = cv2.GaussianBlur(picture, (0, 0), _SPACING / 2)
    for (wide, high), top in zip(sizes, tops, strict=False):
        level = cv2.resize(level, (wide, high), interpolation=cv2.INTER_LINEAR)
        whole[top : top + high, :wide] = level
    return whole, tops.astype(np.float32)
