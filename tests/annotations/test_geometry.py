"""Shapes that move with pixels: against rasters, and against what is known of a warp."""

import itertools
import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamill.annotations.clip import area, clipped
from mediamill.annotations.geometry import joined, moved
from mediamill.annotations.model import Annotation, ImageAnnotations, Ring
from mediamill.annotations.rle import bitmap_of, mask_of

SCALE = 8
"""Rasters are so much finer than pixels."""


class Affine:
    """A warp by a 2×3 matrix, of pixel centres; written apart from the product's own."""

    def __init__(self, matrix: Any, width: int, height: int) -> None:
        self.matrix, self.size = np.array(matrix, dtype=np.float64), (width, height)

    def points(self, xy: np.ndarray) -> np.ndarray:
        return xy @ self.matrix[:, :2].T + self.matrix[:, 2]

    def mask(self, bitmap: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(bitmap, self.matrix, self.size, flags=cv2.INTER_NEAREST)


class Wave(Affine):
    """A warp that bends lines."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__([[1, 0, 0], [0, 1, 0]], width, height)

    def points(self, xy: np.ndarray) -> np.ndarray:
        return np.stack([xy[:, 0], xy[:, 1] + 6 * np.sin(xy[:, 0] / 8)], axis=1)


def turned(degrees: float, size: int = 60) -> Affine:
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), degrees, 1.0)
    return Affine(matrix, size, size)


def raster(rings: Any, width: int, height: int) -> np.ndarray:
    """Paint rings, even-odd, on a fine raster around the picture."""
    canvas = np.zeros((height * SCALE, width * SCALE), np.uint8)
    points = [np.rint(np.array(ring) * SCALE * 16 - 8).astype(np.int32) for ring in rings]
    if points:
        cv2.fillPoly(canvas, points, 1, shift=4)
    return canvas


def pairs(ring: Ring) -> list[tuple[float, float]]:
    return list(zip(ring[::2], ring[1::2], strict=True))


@st.composite
def stars(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Draw a ring that does not cross itself, far from convex, in and around 40 × 40."""
    count, seed = draw(st.integers(3, 24)), draw(st.integers(0, 2**16))
    random = np.random.default_rng(seed)
    middle = random.uniform(-10, 50, 2)
    angles = (np.arange(count) + random.uniform(0, 0.45, count)) * 2 * math.pi / count
    reach = random.uniform(2, 40, count)
    return [
        (float(middle[0] + r * math.cos(a)), float(middle[1] + r * math.sin(a)))
        for a, r in zip(angles, reach, strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(ring=stars())
def test_clipped_rings_hold_what_the_picture_shows(ring: list[tuple[float, float]]) -> None:
    parts = clipped(ring, 40, 40)
    for x, y in itertools.chain.from_iterable(parts):
        assert 0 <= x <= 40
        assert 0 <= y <= 40
    shown, kept = raster([ring], 40, 40), raster(parts, 40, 40)
    border = sum(math.dist(p, q) for p, q in zip(ring, ring[1:] + ring[:1], strict=True))
    assert np.count_nonzero(shown != kept) <= 3 * SCALE * border + 4 * SCALE
    assert abs(sum(map(area, parts)) - shown.sum() / SCALE**2) <= 2 * border / SCALE + 2


def test_a_comb_falls_into_its_teeth() -> None:
    comb = [(-5, 0), (-5, 30), (10, 30), (10, 25), (-2, 25), (-2, 20), (10, 20), (10, 10),
            (-2, 10), (-2, 5), (10, 5), (10, 0)]  # fmt: skip
    parts = clipped([(float(x), float(y)) for x, y in comb], 40, 40)
    assert sorted(area(part) for part in parts) == [50, 50, 100]
    for part in parts:
        assert len(part) == 4, "no lines along the edge tie the teeth together"


def test_holes_that_are_bridged_stay() -> None:
    frame = [(0, 0), (30, 0), (30, 30), (0, 30), (0, 10), (10, 10), (10, 20), (20, 20), (20, 10),
             (0, 10)]  # fmt: skip
    parts = clipped([(x - 5.0, y + 0.0) for x, y in frame], 40, 40)
    assert sum(map(area, parts)) == pytest.approx(25 * 30 - 100)


@pytest.mark.parametrize("degrees", [0, 17, 90, 133, 180])
def test_masks_and_polygons_move_alike(degrees: float) -> None:
    ring = (12.5, 14.5, 48.5, 10.5, 44.5, 50.5, 30.5, 30.5, 14.5, 46.5)
    bitmap = np.zeros((60, 60), np.uint8)
    cv2.fillPoly(bitmap, [np.rint(np.array(pairs(ring)) - 0.5).astype(np.int32)], 1)
    both = ImageAnnotations(
        60, 60,
        (Annotation(1, "a", (12.0, 10.0, 36.0, 40.0), (ring,), area=1.0),
         Annotation(2, "a", (12.0, 10.0, 36.0, 40.0), mask=mask_of(bitmap), area=1.0)),
    )  # fmt: skip
    shape, mask = moved(both, turned(degrees), 60, 60).annotations
    painted = np.zeros((60, 60), np.uint8)
    corners = np.array(pairs(shape.polygons[0])) - 0.5
    cv2.fillPoly(painted, [np.rint(corners).astype(np.int32)], 1)
    assert mask.mask is not None
    seen = bitmap_of(mask.mask)
    assert np.count_nonzero(painted & seen) / np.count_nonzero(painted | seen) > 0.93
    assert shape.box is not None
    assert mask.box is not None
    assert np.abs(np.subtract(shape.box, mask.box)).max() <= 2
    assert shape.area == pytest.approx(area(pairs(ring)), rel=1e-6)


def test_what_leaves_the_picture_is_clipped_or_gone() -> None:
    three = tuple(
        Annotation(n, "a", (x, 10.0, 20.0, 20.0)) for n, x in enumerate((0.0, 50.0, 80.0))
    )
    shift = Affine([[1, 0, 60], [0, 1, 0]], 100, 40)
    found = moved(ImageAnnotations(100, 40, three), shift, 100, 40, min_visibility=0.5)
    assert [(one.id, one.box) for one in found.annotations] == [(0, (60.0, 10.0, 20.0, 20.0))]
    half = moved(
        ImageAnnotations(100, 40, three), Affine([[1, 0, 40], [0, 1, 0]], 100, 40), 100, 40
    )
    assert [(one.id, one.box) for one in half.annotations] == [
        (0, (40.0, 10.0, 20.0, 20.0)), (1, (90.0, 10.0, 10.0, 20.0)),
    ]  # fmt: skip


def test_boxes_are_hulls_of_their_turned_corners() -> None:
    one = Annotation(1, "a", (20.0, 20.0, 20.0, 20.0), area=400.0)
    (found,) = moved(ImageAnnotations(60, 60, (one,)), turned(45), 60, 60).annotations
    side = 20 * math.sqrt(2)
    assert found.box == pytest.approx((30 - side / 2, 30 - side / 2, side, side))
    assert found.area == pytest.approx(400)


def test_key_points_change_sides_in_a_mirror() -> None:
    points = (10.0, 5.0, 2.0, 20.0, 5.0, 1.0, 55.0, 5.0, 2.0, 0.0, 0.0, 0.0)
    whole = ImageAnnotations(
        60, 60, (Annotation(1, "person", keypoints=points, extra={"num_keypoints": 3}),),
        pairs={"person": ((0, 1),)},
    )  # fmt: skip
    mirror = Affine([[-1, 0, 49], [0, 1, 0]], 50, 60)
    (found,) = moved(whole, mirror, 50, 60).annotations
    assert found.keypoints == (29, 5, 1, 39, 5, 2, 0, 0, 0, 0, 0, 0)
    assert found.extra == {"num_keypoints": 2}
    (turn,) = moved(whole, turned(180), 60, 60).annotations
    assert turn.keypoints[:3] == pytest.approx((49, 54, 2)), "a turn is no mirror"
    away = Affine([[1, 0, 500], [0, 1, 0]], 60, 60)
    assert moved(whole, away, 60, 60).annotations == ()


def test_edges_follow_a_warp_that_bends() -> None:
    line = (5.0, 20.0, 55.0, 20.0, 55.0, 40.0, 5.0, 40.0)
    whole = ImageAnnotations(60, 60, (Annotation(1, "a", polygons=(line,)),))
    (found,) = moved(whole, Wave(60, 60), 60, 60).annotations
    points = np.array(pairs(found.polygons[0]))
    top = points[points[:, 1] < 27]
    assert len(top) > 8
    wave = 20 + 6 * np.sin((top[:, 0] - 0.5) / 8)
    inner = (top[:, 0] > 6) & (top[:, 0] < 54)
    assert np.abs(top[inner, 1] - wave[inner]).max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_any_affine_warp_keeps_everything_in_the_picture(seed: int) -> None:
    random = np.random.default_rng(seed)
    warp = Affine(
        np.hstack([random.uniform(-2, 2, (2, 2)), random.uniform(-60, 60, (2, 1))]), 50, 40
    )
    boxes = random.uniform(0, 40, (5, 4)) + 0.1
    rings = random.uniform(0, 50, (3, 10))
    whole = ImageAnnotations(
        50, 50,
        (*(Annotation(n, "a", tuple(map(float, box))) for n, box in enumerate(boxes)),
         *(Annotation(9 + n, "a", (0.0, 0.0, 1.0, 1.0), (tuple(map(float, ring)),))
           for n, ring in enumerate(rings))),
    )  # fmt: skip
    for one in moved(whole, warp, 50, 40).annotations:
        assert one.box is not None
        x, y, w, h = one.box
        assert min(x, y) >= 0
        assert min(w, h) > 0
        assert x + w <= 50 + 1e-9
        assert y + h <= 40 + 1e-9
        assert all(len(ring) >= 6 and area(pairs(ring)) > 0 for ring in one.polygons)


def test_several_pictures_become_one() -> None:
    one = ImageAnnotations(10, 10, (Annotation(1, "a"), Annotation(7, "b")), labels=("x",))
    two = ImageAnnotations(10, 10, (Annotation(1, "c"),), labels=("y", "x"))
    whole = joined([one, two], 20, 10)
    assert [(a.id, a.category) for a in whole.annotations] == [(1, "a"), (7, "b"), (8, "c")]
    assert (whole.width, whole.height, whole.labels) == (20, 10, ("x", "y"))
    assert ImageAnnotations.decode(whole.encode()) == whole
