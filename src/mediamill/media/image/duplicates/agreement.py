"""Look whether two pictures agree everywhere where one lies on the other, not only in the main.

A correlation over the whole is high where two share a frame, a layout or one large shape. Here each
part counts alike: what is in one picture and not in the other counts against them wherever
it is.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.duplicates.candidates import Floats, Hypotheses
from mediamill.media.image.duplicates.collection import Collection
from mediamill.media.image.duplicates.fingerprint import SMALL
from mediamill.media.image.duplicates.verify import inward, sampled

STEPS = 6
"""How often a map is made better, at most."""
PARTS = 8
"""Parts to each side in which pictures are compared."""
_SOFT = 1.4
"""Standard deviation of the blur, in samples: one of the two may be sharper than the other."""
_STILL = 1e-3
"""Change of a map, in parts of the side, that is not worth another step."""
_NOTABLE = 0.03
"""What part of the mean energy of all parts one has to have to be compared."""
_WHOLE = 0.75
"""How much of a part has to lie on the other picture."""
_DAMPING = 1e-3
"""Damping of the steps, for pictures that have edges in one direction only."""
_AGREE, _STRONG = 0.955, 0.975
"""Scores from which two pictures show the same, and from which that is beyond doubt."""
_CONTAINED, _BUSY = 0.9, 0.95
"""From which one picture is a part of the other, and from which there is enough to see."""

Samples = NDArray[np.float32]
_AT = (np.arange(SMALL, dtype=np.float32) + 0.5) / SMALL
_X, _Y = np.meshgrid(_AT, _AT)


@dataclass(frozen=True)
class Agreement:
    """How alike two pictures are part by part, −1 … 1, and what they were compared by.

    `inside` is how much of the one that shows less lies on the other, `busy` in how much of that
    there is something to see, both 0 … 1.
    """

    score: float
    inside: float
    busy: float

    @property
    def holds(self) -> bool:
        """Tell whether the two show the same.

        A shape on plain ground resembles another one on plain ground, and where pictures only
        overlap (neither is a part of the other) it does so wherever it is: the less there is to
        see, the better they have to agree.
        """
        contained, rich = self.inside >= _CONTAINED, self.busy >= _BUSY
        if contained and rich:
            return self.score >= _AGREE
        return self.strong and (contained or rich)

    @property
    def strong(self) -> bool:
        """Tell whether the two are so alike that others may be joined through both."""
        return self.score >= _STRONG


def agreement(pictures: Collection, a: int, b: int, start: Floats) -> Agreement:
    """Return how alike the gradients of two pictures are in the mean of all parts.

    For each of 8 × 8 parts that is 2 Σ p·q / Σ (p² + q²) of the gradients p and q, in grey levels:
    1 where both are equal, 0 where one of them is plain, less than 1 where one is weaker. Parts
    where both are plain are left out. `start` lays a on b and is made better first.
    """
    single = Hypotheses(np.array([a]), np.array([b]), start[None], np.zeros(1, np.int64))
    (small,), (large,), (found,) = inward(single)
    coarser = 1 / np.clip(abs(np.linalg.det(found[:, :2])), 0.25, 1)
    one = _soft(_levels(pictures, int(small)), (coarser - 1) / 6)
    other = _levels(pictures, int(large))
    found = _laid(one, other, found)
    there, inside = _there(other, found)
    return _agree(one, _soft(there), inside)


def light_differs(pictures: Collection, a: int, b: int, at: Floats) -> float:
    """Return what part of the contrast differs where a lies on b as `at` says, 0 … 1 or more.

    It is the root mean square of the difference in grey levels, less its mean, by the larger
    standard deviation. Here the map stays as it is: an even slope of light, as of a sky, can be
    laid on any other one.
    """
    single = Hypotheses(np.array([a]), np.array([b]), at[None], np.zeros(1, np.int64))
    (small,), (large,), (found,) = inward(single)
    one, other = _levels(pictures, int(small)), _levels(pictures, int(large))
    there, inside = _there(other, found)
    if not inside.any():
        return 1.0
    contrast = max(float(one[inside].std()), float(there[inside].std()))
    return float((one - there)[inside].std()) / max(contrast, 1e-9)


def _levels(pictures: Collection, n: int) -> Samples:
    """Return the small picture in the grey levels that it was made of, but for their mean."""
    scale = max(0.1, float(pictures.contrast[n])) / 48
    return np.asarray((pictures.small[n].astype(np.float32) - 128) * scale, np.float32)


def _soft(values: Samples, more: float = 0.0) -> Samples:
    """Blur; `more` is the variance of what the other picture was blurred by already."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), float(_SOFT**2 + more) ** 0.5), np.float32)


def _there(other: Samples, found: Floats) -> tuple[Samples, NDArray[np.bool_]]:
    """Return what the other picture shows at each sample, and where that is inside of it."""
    x, y = (row[0] * _X + row[1] * _Y + row[2] for row in found.astype(np.float32))
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    there = sampled(other[None], x[None], y[None])
    return np.asarray(there[0], np.float32), inside


def _laid(one: Samples, other: Samples, found: Floats) -> Floats:
    """Return the map that makes the squares of what differs least (Lucas and Kanade, 1981).

    The one before stays where steps lead away.
    """
    best, least = found, np.inf
    for _ in range(STEPS):
        there, inside = _there(other, found)
        there = _soft(there)
        differ = np.where(inside, one - there, 0)
        differ = np.where(inside, differ - differ.sum() / max(1, inside.sum()), 0)
        error = float((differ**2).sum() / max(1, inside.sum()))
        if error >= least:
            return best
        best, least = found, error
        step = _step(there, differ, inside)
        found = found @ np.vstack([np.eye(2, 3) + step, [0, 0, 1]])
        if np.abs(step).max() < _STILL:
            return found
    return best


def _step(there: Samples, differ: Samples, inside: NDArray[np.bool_]) -> Floats:
    """Return by how much the samples have to move, as a map of 2 × 3 in parts of the side."""
    down, right = np.gradient(there * SMALL)[:2]
    down, right = (np.clip(each, -1e6, 1e6) * inside for each in (down, right))
    rows = [right * _X, right * _Y, right, down * _X, down * _Y, down]
    slopes = np.stack([row.reshape(-1) for row in rows], 1).astype(np.float64)
    left = slopes.T @ slopes
    left += np.eye(6) * (1e-9 + _DAMPING * np.trace(left))
    return np.asarray(np.linalg.solve(left, slopes.T @ differ.reshape(-1)).reshape(2, 3))


def _agree(one: Samples, other: Samples, inside: NDArray[np.bool_]) -> Agreement:
    both, energy = np.zeros((PARTS, PARTS)), np.zeros((PARTS, PARTS))
    for axis in (0, 1):
        shared = np.delete(inside, 0, axis) & np.delete(inside, -1, axis)
        p, q = (np.diff(values, axis=axis) * shared for values in (one, other))
        both += _sums(p * q)
        energy += _sums(p * p + q * q)
    whole = _sums(inside) >= _WHOLE * (SMALL // PARTS) ** 2
    notable = whole & (energy > _NOTABLE * energy[whole].mean()) if whole.any() else whole
    if not notable.any():
        return Agreement(0.0, float(inside.mean()), 0.0)
    parts = np.clip(2 * both[notable] / energy[notable], -1, 1)
    return Agreement(float(parts.mean()), float(inside.mean()), float(notable.sum() / whole.sum()))


def _sums(values: NDArray[np.generic]) -> Floats:
    """Return the sum of each part; a row or column that lacks is none."""
    full = np.zeros((SMALL, SMALL))
    full[: values.shape[0], : values.shape[1]] = values
    side = SMALL // PARTS
    return np.asarray(full.reshape(PARTS, side, PARTS, side).sum((1, 3)))
