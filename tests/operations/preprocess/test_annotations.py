"""Annotations stay on what they are about, whatever preprocess does to sizes: painted and found."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.operations.augment.test_annotations import (
    POINTS,
    SIZE,
    STAR,
    overlap,
    painted,
    polygon,
)

from mediamill.annotations.model import Annotation, ImageAnnotations
from mediamill.annotations.rle import bitmap_of, mask_of
from mediamill.media.image.picture import Picture
from mediamill.operations.base import Context
from mediamill.operations.preprocess import Preprocess

STEPS: dict[str, dict[str, Any]] = {
    "pad": {"methods": ("resize",), "width": 170, "height": 170, "fit": "pad"},
    "pad-larger": {"methods": ("resize",), "width": 300, "height": 330, "fit": "pad"},
    "fit": {"methods": ("resize",), "width": 140, "height": 140, "fit": "fit"},
    "fill": {"methods": ("resize",), "width": 180, "height": 180, "fit": "fill"},
    "cut": {"methods": ("resize",), "width": 120, "height": 140, "fit": "crop"},
    "stretch": {"methods": ("resize",), "width": 150, "height": 210, "fit": "stretch"},
    "crop": {"methods": ("crop",), "crop": (70, 35, 90, 80)},
    "crop-pad": {"methods": ("crop", "resize"), "crop": (30, 20, 140, 60), "width": 160,
                 "height": 160, "fit": "pad"},
    "tile": {"methods": ("tile",), "rows": 2, "columns": 2, "overlap": 0.3},
    "pad-tile": {"methods": ("resize", "tile"), "width": 240, "height": 260, "fit": "pad",
                 "rows": 2, "columns": 3, "overlap": 0.5},
}  # fmt: skip
TILES = {"tile": 4, "pad-tile": 6}
by_step = pytest.mark.parametrize("name", STEPS)


def made(name: str, pixels: np.ndarray, annotation: Annotation) -> list[Picture]:
    """Return what becomes of a picture with one annotation: one, or its tiles."""
    picture = Picture(pixels)
    picture.annotations = ImageAnnotations(*SIZE, (annotation,), pairs={"thing": ((0, 1),)})
    step = Preprocess(**STEPS[name], min_visibility=0)
    found = [*step.apply_all(picture, Context(Path()))]
    assert len(found) == TILES.get(name, 1)
    for one in found:
        assert one.annotations is not None
        assert (one.annotations.width, one.annotations.height) == (one.width, one.height)
    return found


def marks(picture: Picture) -> list[Annotation]:
    assert picture.annotations is not None
    return [*picture.annotations.annotations]


@by_step
def test_polygons_and_masks_cover_what_they_covered(name: str):
    shape = polygon(STAR)
    pixels = painted((255, 255, 255), shape)
    box = (50, 30, 110, 100)
    ringed = Annotation(1, "thing", box, (STAR,))
    masked = Annotation(2, "thing", box, mask=mask_of(shape.astype(np.uint8)))
    seen = 0
    for one, other in zip(made(name, pixels, ringed), made(name, pixels, masked), strict=True):
        there = one.array()[:, :, 0] > 127
        assert np.array_equal(one.array(), other.array())
        if there.sum() < 300:
            continue
        (ring,), (bits,) = marks(one), marks(other)
        filled = [polygon(each, (one.width, one.height)) for each in ring.polygons]
        assert overlap(np.any(filled, axis=0), there) > 0.93
        assert bits.mask is not None
        assert overlap(bitmap_of(bits.mask) > 0, there) > 0.95
        rows, columns = np.nonzero(there)
        sides = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        for mark in (ring, bits):
            assert mark.box is not None
            left, upper, wide, high = mark.box
            assert (left, upper, left + wide, upper + high) == pytest.approx(sides, abs=2)
        seen += 1
    assert seen >= (4 if name == "tile" else 1)


@by_step
def test_boxes_are_around_what_they_were_around(name: str):
    left, upper, wide, high = 60, 40, 50, 30
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[upper : upper + high, left : left + wide] = 255
    boxed = Annotation(1, "thing", (left, upper, wide, high))
    for one in made(name, pixels, boxed):
        rows, columns = np.nonzero(one.array()[:, :, 0] > 127)
        if not len(rows):
            assert not marks(one)
            continue
        ((x, y, w, h),) = (mark.box or () for mark in marks(one))
        sides = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert (x, y, x + w, y + h) == pytest.approx(sides, abs=1)


@by_step
def test_key_points_are_on_their_dots(name: str):
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for channel, (x, y) in enumerate(POINTS):
        colour = tuple(255 if n == channel else 0 for n in range(3))
        cv2.circle(pixels, (int(x), int(y)), 5, colour, -1)
    points = tuple(part for x, y in POINTS for part in (x, y, 2.0))
    seen = 0
    for one in made(name, pixels, Annotation(1, "thing", keypoints=points)):
        dots = one.array()
        shown = [np.argwhere(dots[:, :, n] > 127) for n in range(3)]
        for mark in marks(one):
            triples = np.array(mark.keypoints).reshape(-1, 3)
            for dot, (x, y, visible) in zip(shown, triples, strict=True):
                inside = 7 < x < one.width - 8 and 7 < y < one.height - 8
                if visible and inside:
                    row, column = dot.mean(axis=0)
                    assert (column, row) == pytest.approx((x, y), abs=0.8)
                    seen += 1
                elif not visible:
                    assert len(dot) < 60, "its middle is not in this part"
    assert seen >= 2
