"""Look whether one picture really shows what another shows, where a hypothesis lays it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.duplicates.candidates import Floats, Hypotheses, Indices
from mediamill.media.image.duplicates.collection import Collection
from mediamill.media.image.duplicates.fingerprint import SMALL
from mediamill.media.image.duplicates.patches import MIRROR

ROUGH, FINE = 16, 16
"""Samples to each side of where two pictures are compared, before and after a map is refined."""
CHUNK = 1024
LEAST_SHARED = 0.5
"""What part of the smaller picture has to lie on the other."""
_NEAR, _NEARER = 0.08, 0.03
"""How far from its place, in parts of the side, a point may be found."""
_BITS = 16
"""Bits by which words of the same point may differ."""


def compare(pictures: Collection, tried: Hypotheses, samples: int = ROUGH) -> Floats:
    """Return for each hypothesis how alike the two are where one lies on the other, −1 … 1.

    It is the correlation of their gradients: what varies slowly, as light does, is no likeness.
    """
    scores = [
        _alike(pictures, part(tried, slice(start, start + CHUNK)), samples)
        for start in range(0, len(tried.a), CHUNK)
    ]
    return np.concatenate(scores) if scores else np.zeros(0)


def part(tried: Hypotheses, which: slice | NDArray[np.bool_] | Indices) -> Hypotheses:
    """Return some of the hypotheses."""
    return Hypotheses(tried.a[which], tried.b[which], tried.maps[which], tried.votes[which])


def _alike(pictures: Collection, tried: Hypotheses, samples: int) -> Floats:
    a, b, maps = inward(tried)
    step = (np.arange(samples, dtype=np.float32) + 0.5) / samples
    grid = np.meshgrid(step, step)
    rows = np.moveaxis(maps.astype(np.float32), 0, 2)[:, :, :, None, None]
    x, y = (row[0] * grid[0] + row[1] * grid[1] + row[2] for row in rows)
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    one = _shrunk(pictures.small[a], samples)
    score = _gradient_correlation(one, sampled(pictures.small[b], x, y), inside)
    return np.where(inside.mean(axis=(1, 2)) >= LEAST_SHARED, score, -1.0)


def _shrunk(small: NDArray[np.uint8], samples: int) -> NDArray[np.float32]:
    """Return n × samples × samples means."""
    size = SMALL // samples
    blocks = small.reshape(-1, samples, size, samples, size)
    return np.asarray(blocks.mean((2, 4), dtype=np.float32), np.float32)


def inward(tried: Hypotheses) -> tuple[Indices, Indices, Floats]:
    """Turn hypotheses so that the picture that shows less lies on the one that shows more."""
    maps = tried.maps
    area = np.abs(np.linalg.det(maps[:, :, :2]))
    swap = area > 1
    linear = np.where(
        swap[:, None, None], np.linalg.inv(_safe(maps[:, :, :2], area)), maps[:, :, :2]
    )
    start = np.where(swap[:, None], -np.einsum("nij,nj->ni", linear, maps[:, :, 2]), maps[:, :, 2])
    a, b = np.where(swap, tried.b, tried.a), np.where(swap, tried.a, tried.b)
    return a, b, np.concatenate([linear, start[:, :, None]], axis=2)


def _safe(linear: Floats, area: Floats) -> Floats:
    return np.where((area > 1e-9)[:, None, None], linear, np.eye(2))


def sampled(
    small: NDArray[Any], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return each picture at its places in parts of its sides, between pixels linearly."""
    x, y = (np.clip(at * SMALL - 0.5, 0, SMALL - 1.001) for at in (x, y))
    column, row = x.astype(np.int32), y.astype(np.int32)
    right, down = x - column, y - row
    size = SMALL * SMALL
    at = (np.arange(len(small), dtype=np.int32) * size)[:, None, None] + row * SMALL + column
    flat = np.ascontiguousarray(small).reshape(-1).astype(np.float32)
    top = flat[at] * (1 - right) + flat[at + 1] * right
    bottom = flat[at + SMALL] * (1 - right) + flat[at + SMALL + 1] * right
    return np.asarray(top * (1 - down) + bottom * down)


def _gradient_correlation(
    one: NDArray[np.float32], other: NDArray[np.float32], inside: NDArray[np.bool_]
) -> Floats:
    sums = np.zeros((3, len(one)))
    for axis in (1, 2):
        pair = [np.diff(values, axis=axis) for values in (one, other)]
        both = np.delete(inside, 0, axis) & np.delete(inside, -1, axis)
        p, q = ((values * both).reshape(len(one), -1) for values in pair)
        sums += [np.vecdot(p, q), np.vecdot(p, p), np.vecdot(q, q)]
    return np.asarray(sums[0] / np.sqrt(np.maximum(sums[1] * sums[2], 1e-9)))


@dataclass(frozen=True)
class Found:
    """How two pictures lie on each other by all points that agree: how many, and how alike."""

    points: int
    score: float
    map: Floats


def refine(pictures: Collection, a: int, b: int, start: Floats) -> Found:
    """Lay picture a on b by all points that agree with a hypothesis, and compare again."""
    mirrored = bool(np.linalg.det(start[:, :2]) < 0)
    here, there = pictures.of(a), pictures.of(b)
    p = (pictures.points[here, :2].astype(float) + 0.5) / 256
    q = (pictures.points[there, :2].astype(float) + 0.5) / 256
    words = pictures.words[here] ^ MIRROR if mirrored else pictures.words[here]
    differ = np.bitwise_count(words[:, None] ^ pictures.words[there][None, :])
    rows, columns = np.nonzero(differ <= _BITS)
    order = np.lexsort((differ[rows, columns], rows))  # the likest of a point first
    rows, columns = rows[order], columns[order]
    found, count = start, 0
    for near in (_NEAR, _NEARER, _NEARER):
        placed = p @ found[:, :2].T + found[:, 2]
        there_too = np.abs(placed[rows] - q[columns]).max(axis=1) <= near
        good, at = np.unique(rows[there_too], return_index=True)
        best = columns[there_too][at]
        count = len(np.unique(best))
        if count < 4:
            break
        found = _fitted(p[good], q[best], found)
    single = Hypotheses(np.array([a]), np.array([b]), found[None], np.array([count]))
    return Found(count, float(compare(pictures, single, FINE)[0]), found)


def _fitted(p: Floats, q: Floats, before: Floats) -> Floats:
    """Return the affine map of least squares; few points change the one before little."""
    rows = np.column_stack([p, np.ones(len(p))])
    pull = 0.3 * np.eye(3)
    left = rows.T @ rows + pull
    right = rows.T @ q + pull @ before.T
    return np.asarray(np.linalg.solve(left, right).T)
