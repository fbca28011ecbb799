"""Annotations that move with the pixels of their picture.

NumPy is imported when a function runs: servers know annotations without it.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from mediamill.annotations.clip import Point, area, clipped
from mediamill.annotations.model import Annotation, Box, ImageAnnotations, Ring, Rle
from mediamill.annotations.rle import bitmap_of, mask_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Bitmap = NDArray[np.uint8]

BEND = 0.25
"""How far (px) a straight line may be from what it stands for after a warp."""
HALVINGS = 5
"""How often an edge is halved at most to follow a curve: 32 pieces."""
SAMPLES = 4096
"""Pixels of a mask that are followed to learn how much of it is left."""
APPROACHES = 40
"""How often the way to a horizon is halved: it ends at what floating point can tell apart."""


class Warp(Protocol):
    """What happened to the pixels of a picture, as far as shapes on it need to know."""

    def points(self, xy: "Points") -> "Points":
        """Return where points (N×2, pixel centres at integers) of the source are in the output.

        Both are NaN of a point that has no place there: it is behind the horizon of a perspective.
        """

    def mask(self, bitmap: "Bitmap") -> "Bitmap":
        """Warp a bitmap (H×W, 0 or 1) as the pixels were, by nearest neighbour, to output size."""


def moved(
    annotations: ImageAnnotations, warp: Warp, width: int, height: int, min_visibility: float = 0.0
) -> ImageAnnotations:
    """Return annotations as they lie on the warped picture of `width` × `height` pixels.

    Shapes are clipped to it, boxes drawn around what is left of a shape; where there is none, the
    box is that around its moved corners. What has left the picture is gone, as is what keeps less
    than `min_visibility` (0…1) of its area. Key points outside get v = 0, those of a mirror image
    change places by `pairs`. Labels of the picture stay.
    """
    outlines = _outlines(annotations.annotations, warp)
    kept = []
    for annotation, rings in zip(annotations.annotations, outlines, strict=True):
        pairs = annotations.pairs.get(annotation.category, ())
        made = _Move(warp, width, height, min_visibility).of(annotation, rings, pairs)
        if made is not None:
            kept.append(made)
    return msgspec.structs.replace(annotations, width=width, height=height, annotations=tuple(kept))


def joined(parts: Iterable[ImageAnnotations], width: int, height: int) -> ImageAnnotations:
    """Return what lies on one picture that several were put into; ids are made different.

    The parts are where they belong already, as `moved` leaves them. Labels and what is known of
    categories are those of all; what is known of a picture that is none of them any more goes.
    """
    annotations: list[Annotation] = []
    taken: set[int | str] = set()
    labels: dict[str, None] = {}
    pairs: dict[str, tuple[tuple[int, int], ...]] = {}
    for part in parts:
        pairs |= part.pairs
        labels |= dict.fromkeys(part.labels)
        for one in part.annotations:
            number = one.id if one.id not in taken else _free(taken)
            taken.add(number)
            annotations.append(msgspec.structs.replace(one, id=number))
    return ImageAnnotations(width, height, tuple(annotations), labels=tuple(labels), pairs=pairs)


def _free(taken: set[int | str]) -> int:
    return max((number for number in taken if isinstance(number, int)), default=0) + 1


class _Move:
    """One annotation on its way; see `moved`."""

    def __init__(self, warp: Warp, width: int, height: int, least: float) -> None:
        self.warp, self.width, self.height, self.least = warp, width, height, least

    def of(
        self, one: Annotation, rings: "list[Points]", pairs: Sequence[tuple[int, int]]
    ) -> Annotation | None:
        if one.polygons:
            made = self._polygons(one, rings)
        elif one.mask is not None:
            made = self._masked(one, one.mask)
        elif one.box is not None:
            made = self._boxed(one, one.box, rings[0])
        else:
            made = one
        if made is None or not one.keypoints:
            return made
        made = self._pointed(made, pairs)
        alone = one.box is None and one.mask is None and not one.polygons
        return None if alone and not any(made.keypoints[2::3]) else made

    def _polygons(self, one: Annotation, rings: "list[Points]") -> Annotation | None:
        whole = kept = 0.0
        parts: list[list[Point]] = []
        for points in rings:
            ring = _listed(points)
            if ring is None:
                continue
            left = clipped(ring, self.width, self.height)
            whole, kept = whole + area(ring), kept + sum(map(area, left))
            parts += left
        if not self._shows(kept, whole):
            return None
        mask = None if one.mask is None else self._warped(one.mask)
        return msgspec.structs.replace(
            one,
            polygons=tuple(_ring(part) for part in parts),
            mask=mask,
            box=None if one.box is None else _around(point for part in parts for point in part),
            area=None if one.area is None else kept,
        )

    def _masked(self, one: Annotation, mask: Rle) -> Annotation | None:
        bitmap = bitmap_of(mask)
        out = self.warp.mask(bitmap)
        inside = int((out != 0).sum())
        if not inside or self._share(bitmap) < self.least:
            return None
        return msgspec.structs.replace(
            one,
            mask=mask_of(out, compress=isinstance(mask.counts, str)),
            box=None if one.box is None else _bounds(out),
            area=None if one.area is None else float(inside),
        )

    def _boxed(self, one: Annotation, box: Box, corners: "Points") -> Annotation | None:
        ring = _listed(corners)
        if ring is None:
            return None
        left, top, wide, high = _around(ring)
        right, bottom = min(left + wide, self.width), min(top + high, self.height)
        inner = (max(left, 0.0), max(top, 0.0))
        now = (*inner, right - inner[0], bottom - inner[1])
        kept = max(0.0, now[2]) * max(0.0, now[3])
        if not self._shows(kept, wide * high):
            return None
        size = None
        if one.area is not None:
            before = box[2] * box[3]
            size = one.area * area(ring) * kept / (wide * high * before) if before else kept
        return msgspec.structs.replace(one, box=now, area=size)

    def _shows(self, kept: float, whole: float) -> bool:
        return kept > 0 and kept >= self.least * whole

    def _warped(self, mask: Rle) -> Rle:
        return mask_of(self.warp.mask(bitmap_of(mask)), compress=isinstance(mask.counts, str))

    def _share(self, bitmap: "Bitmap") -> float:
        """Return how much of a mask is in the picture, by the way of some of its pixels."""
        import numpy as np

        rows, columns = np.nonzero(bitmap)
        step = max(1, len(rows) // SAMPLES)
        at = self.warp.points(np.stack([columns[::step], rows[::step]], 1).astype(np.float64))
        return float(self._in(at).mean())

    def _in(self, at: "Points") -> "NDArray[np.bool_]":
        found: NDArray[np.bool_] = (
            (at[:, 0] >= -0.5) & (at[:, 0] <= self.width - 0.5)
            & (at[:, 1] >= -0.5) & (at[:, 1] <= self.height - 0.5)
        )  # fmt: skip
        return found

    def _pointed(self, one: Annotation, pairs: Sequence[tuple[int, int]]) -> Annotation:
        """Return it with its key points moved, and counted where COCO's count was there."""
        import numpy as np

        points = np.array(one.keypoints, dtype=np.float64).reshape(-1, 3)
        known = points[:, 2] > 0
        at = self.warp.points(points[:, :2])
        points[:, :2] = at
        points[~(known & self._in(at))] = 0  # those behind a horizon too: they are NaN
        if pairs and known.any() and self._mirrored(one):
            order = np.arange(len(points))
            for here, there in pairs:
                if max(here, there) < len(order):
                    order[[here, there]] = order[[there, here]]
            points = points[order]
        extra = one.extra
        if "num_keypoints" in extra:
            extra = {**extra, "num_keypoints": int((points[:, 2] > 0).sum())}
        values = tuple(float(value) for value in points.ravel())
        return msgspec.structs.replace(one, keypoints=values, extra=extra)

    def _mirrored(self, one: Annotation) -> bool:
        """Tell whether left and right changed sides where an annotation's key points were."""
        import numpy as np

        seen = np.array(one.keypoints, dtype=np.float64).reshape(-1, 3)
        seen = seen[seen[:, 2] > 0][:, :2]
        seen = seen[~np.isnan(self.warp.points(seen)[:, 0])]
        if not len(seen):
            return False
        middle = seen.mean(axis=0)
        here, right, down = self.warp.points(middle + np.array([[0.0, 0], [1, 0], [0, 1]]))
        across, along = right - here, down - here
        return float(across[0] * along[1] - across[1] * along[0]) < 0


def _outlines(annotations: Sequence[Annotation], warp: Warp) -> "list[list[Points]]":
    """Return the moved rings (corners of boxes where there are none) of each annotation."""
    import numpy as np

    rings = [_rings(one) for one in annotations]
    flat = [np.asarray(ring, dtype=np.float64).reshape(-1, 2) for of in rings for ring in of]
    if not flat:
        return [[] for _ in annotations]
    source = np.concatenate(flat) - 0.5
    owner = np.repeat(np.arange(len(flat)), [len(ring) for ring in flat])
    source, target, owner = _before_horizon(source, owner, warp)
    for _ in range(HALVINGS):
        source, target, owner, bent = _halved(source, target, owner, warp)
        if not bent:
            break
    borders = np.searchsorted(owner, np.arange(1, len(flat)))
    parts = iter(np.split(target + 0.5, borders))
    return [[next(parts) for _ in of] for of in rings]


def _before_horizon(
    source: "Points", owner: "NDArray[np.intp]", warp: Warp
) -> "tuple[Points, Points, NDArray[np.intp]]":
    """Return what of rings the warp has a place for, that place, and whose it is.

    A ring is cut where its edges come to the horizon, before anything is divided: what lies behind
    would come out on the other side. There it is so far outside that its cut does not show.
    """
    import numpy as np

    target = warp.points(source)
    lost = np.isnan(target[:, 0])
    if not lost.any():
        return source, target, owner
    following = _following(owner)
    crossing = np.flatnonzero(lost != lost[following])
    ends = np.stack([source[crossing], source[following[crossing]]])
    here, there = np.where(lost[crossing][:, None], ends[::-1], ends)
    for _ in range(APPROACHES):
        middle = (here + there) / 2
        behind = np.isnan(warp.points(middle)[:, :1])
        here, there = np.where(behind, here, middle), np.where(behind, middle, there)
    keep = ~np.insert(lost, crossing + 1, False)
    source = np.insert(source, crossing + 1, here, axis=0)[keep]
    target = np.insert(target, crossing + 1, warp.points(here), axis=0)[keep]
    return source, target, np.insert(owner, crossing + 1, owner[crossing])[keep]


def _following(owner: "NDArray[np.intp]") -> "NDArray[np.intp]":
    """Return the place of the next corner of the same ring, by that of each."""
    import numpy as np

    following = np.arange(1, len(owner) + 1)
    ends = np.flatnonzero(np.diff(owner, append=-1))
    following[ends] = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    return following


def _halved(
    source: "Points", target: "Points", owner: "NDArray[np.intp]", warp: Warp
) -> "tuple[Points, Points, NDArray[np.intp], bool]":
    """Halve the edges of rings whose middle the warp puts beside the straight line."""
    import numpy as np

    following = _following(owner)
    middles = (source + source[following]) / 2
    where = warp.points(middles)
    edge, off = target[following] - target, where - target
    long = np.maximum(np.hypot(edge[:, 0], edge[:, 1]), 1e-9)
    beside = np.abs(edge[:, 0] * off[:, 1] - edge[:, 1] * off[:, 0]) / long
    bent = np.flatnonzero(beside > BEND)
    return (
        np.insert(source, bent + 1, middles[bent], axis=0),
        np.insert(target, bent + 1, where[bent], axis=0),
        np.insert(owner, bent + 1, owner[bent]),
        bool(len(bent)),
    )


def _rings(one: Annotation) -> Sequence[Ring]:
    if one.polygons:
        return one.polygons
    if one.box is None or one.mask is not None:
        return ()
    x, y, w, h = one.box
    return ((x, y, x + w, y, x + w, y + h, x, y + h),)


def _listed(points: "Points") -> list[Point] | None:
    """Return a ring's corners; None of one that a warp has no place for, or that is a line."""
    import numpy as np

    if len(points) < 3 or not np.isfinite(points).all():
        return None
    return [(float(x), float(y)) for x, y in points]


def _ring(points: Iterable[Point]) -> Ring:
    return tuple(value for point in points for value in point)


def _around(points: Iterable[Point]) -> Box:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _bounds(bitmap: "Bitmap") -> Box:
    import numpy as np

    columns, rows = np.flatnonzero(bitmap.any(axis=0)), np.flatnonzero(bitmap.any(axis=1))
    left, top = int(columns[0]), int(rows[0])
    return float(left), float(top), float(columns[-1] - left + 1), float(rows[-1] - top + 1)
