"""Where pixels go: matrices and displacement fields that follow each other, applied in one go.

Coordinates are (x, y) in pixels, pixel centres at integers. Each part leads from the picture before
it to the one after it; neighbouring matrices are one. What a matrix of perspective puts behind its
horizon has no place after it: there points are NaN, and pixels are those beyond the edge.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.core.errors import LimitExceeded
from mediamill.media.image.alpha import weighted
from mediamill.media.image.depth import Pixels, top

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]
Size = tuple[int, int]
"""Width, height."""
Border = Literal["constant", "replicate", "reflect"]
Interpolation = Literal["nearest", "linear", "cubic"]

_BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
}
_INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC,
}  # fmt: skip
_remap: Any = cv2.remap  # its stub does not know that two maps may come as one
_ROW = 16_384
"""Points looked up in a row: OpenCV's maps are at most 32,766 wide and high."""
_LONGEST = 32_766
_ROWS = 128
"""Rows whose places are worked out at a time."""
_FOURTH = 1 << 27
"""Bytes of the largest picture that is given a fourth channel to be warped."""
_TRIES = 60
"""Steps of the search for where a field takes a point; each halves the error at least."""
_HORIZON = 1e-3
"""A point this near to the horizon, by its third coordinate (1 at the centre), is behind it."""
_BEYOND = 40_000.0
"""A place beyond every picture, where OpenCV's maps end, or with a minus."""


@dataclass(frozen=True)
class Edge:
    """What is beyond the picture: a colour of 8 bits, its last pixels, or its mirror image."""

    border: Border = "constant"
    fill: tuple[int, int, int] = (0, 0, 0)

    def value(self, pixels: Pixels) -> tuple[float, ...]:
        """Return the colour at the pixels' depth; where they have alpha it is transparent."""
        scale = top(pixels) // 255
        colour = tuple(float(part * scale) for part in self.fill)
        return (*colour, 0.0) if pixels.shape[2] == 4 else colour


@dataclass(frozen=True, eq=False)
class Field:
    """A displacement field over a picture of `size`: the pixel at p is taken from p + field(p).

    `shift`, rows×columns×2, may be coarser than the picture and is interpolated between.
    """

    shift: NDArray[np.float32]
    size: Size

    def back(self, xy: Points) -> Points:
        """Return where points (N×2) of the picture after it come from."""
        return xy + self._at(xy)

    def forth(self, xy: Points) -> Points:
        """Return where points of the picture before it go, by fixed-point iteration.

        It converges where neighbouring shifts differ by less than their distance. NaN stays so.
        """
        lost = np.isnan(xy[:, :1])
        xy = np.where(lost, 0, xy)
        found = xy
        for _ in range(_TRIES):
            last, found = found, xy - self._at(found)
            if np.abs(found - last).max(initial=0) < 1e-4:
                break
        return np.where(lost, np.nan, found)

    def _at(self, xy: Points) -> Points:
        places = np.zeros((-(-len(xy) // _ROW), min(_ROW, len(xy)), 2), np.float32)
        scale = np.array(self.shift.shape[1::-1]) / self.size
        places.reshape(-1, 2)[: len(xy)] = (xy + 0.5) * scale - 0.5
        edge = cv2.BORDER_REPLICATE
        shift = _remap(self.shift, places, None, cv2.INTER_LINEAR, borderMode=edge)
        return cast("Points", shift.reshape(-1, 2)[: len(xy)].astype(np.float64))


Part = Matrix | Field


@dataclass(frozen=True, eq=False)
class Warp:
    """The way from a picture of `source` size to one of `size`: the parts, in their order."""

    source: Size
    size: Size
    parts: tuple[Part, ...] = field(default=())

    @classmethod
    def still(cls, width: int, height: int) -> "Warp":
        """Return the warp that leaves a picture as it is."""
        return cls((width, height), (width, height))

    def then(self, part: Part, size: Size | None = None) -> "Warp":
        """Return the warp with a part more, on a canvas of another size if one is given."""
        parts = self.parts
        if parts and not isinstance(part, Field) and not isinstance(parts[-1], Field):
            parts = (*parts[:-1], part @ parts[-1])
        else:
            parts = (*parts, part)
        return replace(self, parts=parts, size=size or self.size)

    @property
    def mirrors(self) -> bool:
        """Whether left and right have changed places, whatever else was turned."""
        flat = [part for part in self.parts if not isinstance(part, Field)]
        return reduce(lambda sign, part: sign * np.linalg.det(part[:2, :2]), flat, 1.0) < 0

    def points(self, xy: Points) -> Points:
        """Return where points (N×2) of the source are in the output; NaN for those that are not."""
        found = np.asarray(xy, np.float64).reshape(-1, 2)
        for part in self.parts:
            found = part.forth(found) if isinstance(part, Field) else projected(part, found)
        return found

    @property
    def _folds(self) -> bool:
        """Whether a horizon lies on the output, where a matrix alone leads there."""
        matrix = self.parts[0]
        if len(self.parts) > 1 or isinstance(matrix, Field) or not matrix[2, :2].any():
            return False
        right, lower = self.size[0] - 1.0, self.size[1] - 1.0
        corners = np.array([(0, 0), (right, 0), (right, lower), (0, lower)])
        return bool(np.isnan(projected(np.linalg.inv(matrix), corners)).any())

    def mask(self, bitmap: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Warp a bitmap (H×W) by nearest neighbour; beyond its edges is nothing."""
        flags = cv2.INTER_NEAREST
        return cast("NDArray[np.uint8]", self._warped(bitmap, flags, cv2.BORDER_CONSTANT, (0,)))

    def apply(
        self, pixels: Pixels, edge: Edge | None = None, interpolation: Interpolation = "linear"
    ) -> Pixels:
        """Return the pixels (H×W×3 or 4) moved, each sampled once; shrinking averages first."""
        edge = edge or Edge()
        exact = self._moved_whole(pixels, edge)
        if exact is not None:
            return exact
        if max(*self.size, *pixels.shape[:2]) > _LONGEST:
            raise LimitExceeded(
                f"A picture of {pixels.shape[1]} × {pixels.shape[0]} pixels cannot be warped; "
                f"sides are at most {_LONGEST} then."
            )
        flags, border, value = (
            _INTERPOLATIONS[interpolation], _BORDERS[edge.border], edge.value(pixels)
        )  # fmt: skip

        def work(whole: NDArray[Any]) -> NDArray[Any]:
            small, warp = self._shrunk(whole)
            if small.shape[2] == 4 or flags == cv2.INTER_CUBIC or not warp._light(small):
                return warp._warped(small, flags, border, value)
            made = warp._warped(
                cv2.cvtColor(small, cv2.COLOR_RGB2RGBA), flags, border, (*value, 0.0)
            )
            return cv2.cvtColor(made, cv2.COLOR_RGBA2RGB)

        return weighted(pixels, work)

    def _light(self, pixels: NDArray[Any]) -> bool:
        """Whether there is room for a fourth channel: with it OpenCV takes half the time.

        The other three come out the same as without.
        """
        most = max(pixels.shape[0] * pixels.shape[1], self.size[0] * self.size[1])
        return bool(most * 4 * pixels.itemsize <= _FOURTH)

    def _moved_whole(self, pixels: Pixels, edge: Edge) -> Pixels | None:
        """Return the pixels where they move by whole ones; None where they must be sampled."""
        if not self.parts:
            return pixels
        matrix = self.parts[0]
        if len(self.parts) > 1 or isinstance(matrix, Field):
            return None
        (a, b, c), (d, e, f), last = matrix
        plain = (b, d, *last) == (0, 0, 0, 0, 1) and abs(a) == abs(e) == 1
        if not plain or (c, f) != (round(c), round(f)):
            return None
        left, upper = (int(c) if a < 0 else -int(c)), (int(f) if e < 0 else -int(f))
        return _cut(pixels, (left, upper), (a < 0, e < 0), self.size, edge)

    def _shrunk(self, pixels: NDArray[Any]) -> tuple[NDArray[Any], "Warp"]:
        """Return the pixels averaged by a whole factor where the warp shrinks by more than two."""
        if len(self.parts) != 1 or isinstance(self.parts[0], Field):
            return pixels, self
        matrix = self.parts[0]
        scale = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
        affine = not matrix[2, :2].any()
        factor = int(1 / scale + 1e-6) if affine and scale > 0 else 1
        width, height = pixels.shape[1] // max(1, factor), pixels.shape[0] // max(1, factor)
        if factor < 2 or not (width and height):
            return pixels, self
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        back = stretching(pixels.shape[1] / width, pixels.shape[0] / height)
        return small, replace(self, source=(width, height), parts=(matrix @ back,))

    def _warped(
        self, pixels: NDArray[Any], flags: int, border: int, value: tuple[float, ...]
    ) -> NDArray[Any]:
        if not self.parts:
            return pixels
        matrix = self.parts[0]
        if len(self.parts) > 1 or isinstance(matrix, Field) or self._folds:
            return self._remapped(pixels, flags, border, value)
        call: Callable[..., NDArray[Any]] = cv2.warpPerspective
        if not matrix[2, :2].any():
            call, matrix = cv2.warpAffine, (matrix / matrix[2, 2])[:2]
        return call(pixels, matrix, self.size, flags=flags, borderMode=border, borderValue=value)

    def _remapped(
        self, pixels: NDArray[Any], flags: int, border: int, value: tuple[float, ...]
    ) -> NDArray[Any]:
        """Sample some rows at a time: where all pixels come from would take more room than they."""
        width, height = self.size
        made = np.empty((height, width, *pixels.shape[2:]), pixels.dtype)
        for start in range(0, height, _ROWS):
            rows = slice(start, min(height, start + _ROWS))
            maps = self._maps(range(rows.start, rows.stop))
            made[rows] = _remap(pixels, maps, None, flags, None, border, value)
        return made

    def _maps(self, rows: range) -> NDArray[np.float32]:
        """Return where each pixel of some rows of the output comes from, rows×W×2."""
        width, height = self.size[0], len(rows)
        grid = np.stack(np.meshgrid(np.arange(width), np.array(rows)), axis=2)
        xy = grid.reshape(-1, 2).astype(np.float64)
        for part in reversed(self.parts):
            xy = part.back(xy) if isinstance(part, Field) else projected(np.linalg.inv(part), xy)
        xy = np.where(np.isnan(xy), -_BEYOND, xy.clip(-_BEYOND, _BEYOND))
        return xy.astype(np.float32).reshape(height, width, 2)


def projected(matrix: NDArray[Any], xy: Points) -> Points:
    """Return points (N×2) multiplied by a 3×3 matrix; NaN for those at its horizon and behind."""
    moved = np.concatenate([xy, np.ones((len(xy), 1))], axis=1) @ matrix.T
    depth = moved[:, 2:]
    return cast("Points", moved[:, :2] / np.where(depth > _HORIZON, depth, np.nan))


def stretching(x: float, y: float) -> Matrix:
    """Return the matrix that makes pixels `x` times as wide and `y` times as high."""
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _cut(
    pixels: Pixels, at: Size, mirrored: tuple[bool, bool], size: Size, edge: Edge
) -> Pixels | None:
    """Cut and mirror; None where the cut reaches beyond a picture whose edge goes on."""
    left = at[0] - size[0] + 1 if mirrored[0] else at[0]
    upper = at[1] - size[1] + 1 if mirrored[1] else at[1]
    inner = pixels[max(0, upper) : max(0, upper + size[1]), max(0, left) : max(0, left + size[0])]
    if inner.shape[:2] == (size[1], size[0]):
        part = inner
    elif edge.border == "constant":
        part = _framed(inner, max(0, -left), max(0, -upper), size, edge)
    else:
        return None
    if not any(mirrored):
        return cast("Pixels", np.ascontiguousarray(part))
    code = {(True, True): -1, (True, False): 1, (False, True): 0}[mirrored]
    return cast("Pixels", cv2.flip(part, code))


def _framed(inner: Pixels, left: int, upper: int, size: Size, edge: Edge) -> Pixels:
    """Put pixels onto a canvas of the edge's colour."""
    value = edge.value(inner)
    if not inner.size:
        return cast("Pixels", np.full((size[1], size[0], len(value)), value, inner.dtype))
    right, lower = size[0] - left - inner.shape[1], size[1] - upper - inner.shape[0]
    constant = cv2.BORDER_CONSTANT
    return cast(
        "Pixels",
        cv2.copyMakeBorder(inner, upper, lower, left, right, constant, value=value),
    )
