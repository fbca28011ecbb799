"""Annotations move with the pixels: what is painted is found again where they say it is."""

import cv2
import numpy as np
import pytest
from tests.support import pictures

from mediamill.annotations.covering import covered
from mediamill.annotations.model import Annotation, ImageAnnotations
from mediamill.annotations.rle import bitmap_of, mask_of
from mediamill.media.image.picture import Picture
from mediamill.operations.augment import Augment

SIZE = (200, 150)
BOX = (60, 40, 50, 30)
STAR = (100, 30, 120, 70, 160, 75, 130, 95, 140, 130, 105, 110, 70, 125, 85, 90, 50, 70, 90, 68)
POINTS = ((60.0, 50.0), (140.0, 50.0), (100.0, 100.0))
MOVES = [
    ["rotate"], ["scale"], ["translate"], ["shear"], ["horizontal-flip"], ["vertical-flip"],
    ["perspective"], ["elastic"], ["random-crop"], ["tile"],
    ["rotate", "scale", "shear", "horizontal-flip"], ["elastic", "rotate", "random-crop"],
    ["perspective", "vertical-flip", "brightness", "rotate"],
]  # fmt: skip


def step(methods: list[str], **more) -> Augment:
    flips = {name: 1 for name in methods if "flip" in name}
    more = {"random_crop": 120, "tile": 110, "scale": (0.7, 1.4), "min_visibility": 0} | more
    return Augment(methods=methods, probability=flips, **more)


def painted(color: tuple[int, int, int], shape: np.ndarray) -> np.ndarray:
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[shape > 0] = color
    return pixels


def polygon(ring: tuple[float, ...], size: tuple[int, int] = SIZE) -> np.ndarray:
    """Fill a ring that measures from the picture's corner, four times as fine."""
    fine = np.zeros((size[1] * 4, size[0] * 4), np.uint8)
    points = np.rint(np.array(ring).reshape(-1, 2) * 4 - 0.5).astype(np.int32)
    cv2.fillPoly(fine, [points], 1)
    return cv2.resize(fine * 255, size, interpolation=cv2.INTER_AREA) > 127


def moved(pixels: np.ndarray, annotation: Annotation, methods: list[str], seed: int, **more):
    picture = Picture(pixels)
    picture.digest = f"digest {seed}"
    picture.annotations = ImageAnnotations(*SIZE, (annotation,), pairs={"thing": ((0, 1),)})
    return [*step(methods, **more).apply_all(picture, pictures.context(seed))]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / max(1, (one | other).sum())


@pytest.mark.parametrize("methods", MOVES, ids="+".join)
def test_polygons_boxes_and_masks(methods: list[str]):
    shape = polygon(STAR)
    mask = mask_of(shape.astype(np.uint8))
    seen = 0
    for seed in range(5):
        marked = Annotation(1, "thing", (50, 30, 110, 100), (STAR,))
        masked = Annotation(2, "thing", (50, 30, 110, 100), mask=mask)
        for made, other in zip(
            moved(painted((255, 255, 255), shape), marked, methods, seed),
            moved(painted((255, 255, 255), shape), masked, methods, seed),
            strict=True,
        ):
            there = made.array()[:, :, 0] > 127
            assert made.annotations.width == made.width
            assert made.annotations.height == made.height
            if there.sum() < 300:
                continue
            (found,) = made.annotations.annotations
            (bits,) = other.annotations.annotations
            size = made.width, made.height
            drawn = sum(polygon(ring, size).astype(int) for ring in found.polygons) > 0
            assert overlap(drawn, there) > 0.93
            assert overlap(bitmap_of(bits.mask) > 0, there) > 0.93
            rows, columns = np.nonzero(there)
            left, top, wide, high = found.box
            assert left == pytest.approx(columns.min(), abs=2)
            assert top == pytest.approx(rows.min(), abs=2)
            assert left + wide == pytest.approx(columns.max() + 1, abs=2)
            assert top + high == pytest.approx(rows.max() + 1, abs=2)
            seen += 1
    assert seen >= 4


@pytest.mark.parametrize("methods", MOVES, ids="+".join)
def test_boxes_alone_hold_what_is_in_them(methods: list[str]):
    left, top, wide, high = BOX
    shape = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    shape[top : top + high, left : left + wide] = 1
    seen = 0
    for seed in range(5):
        for made in moved(
            painted((255, 255, 255), shape), Annotation(1, "thing", BOX), methods, seed
        ):
            rows, columns = np.nonzero(made.array()[:, :, 0] > 127)
            if len(rows) < 100:
                continue
            ((x, y, w, h),) = (one.box for one in made.annotations.annotations)
            slack = 2 if "brightness" not in methods else 15  # a box of a turned box is larger
            assert -slack <= x - columns.min() <= 2
            assert -slack <= y - rows.min() <= 2
            assert -2 <= x + w - columns.max() - 1 <= slack
            assert -2 <= y + h - rows.max() - 1 <= slack
            seen += 1
    assert seen >= 3


@pytest.mark.parametrize("methods", MOVES, ids="+".join)
def test_key_points_are_where_their_dots_are_and_sides_change_in_a_mirror(methods: list[str]):
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for (x, y), colour in zip(POINTS, colours, strict=True):
        cv2.circle(pixels, (int(x), int(y)), 5, colour, -1)
    points = tuple(part for x, y in POINTS for part in (x, y, 2.0))
    mirrored = methods.count("horizontal-flip") + methods.count("vertical-flip") == 1
    seen = 0
    for seed in range(5):
        for made in moved(pixels, Annotation(1, "thing", keypoints=points), methods, seed):
            if not made.annotations.annotations:
                continue
            (found,) = made.annotations.annotations
            triples = np.array(found.keypoints).reshape(-1, 3)
            if mirrored:
                triples = triples[[1, 0, 2]]
            for channel, (x, y, shown) in enumerate(triples):
                if not shown:
                    continue
                weights = made.array()[:, :, channel].astype(float)
                rows, columns = np.nonzero(weights > 127)
                inside = 6 < x < made.width - 7 and 6 < y < made.height - 7
                if inside and len(rows) > 20:
                    assert columns.mean() == pytest.approx(x, abs=0.8)
                    assert rows.mean() == pytest.approx(y, abs=0.8)
                    seen += 1
    assert seen >= 5


WIDE = {"rotate": (-180, 180), "scale": (1, 3), "perspective": (0, 0.4)}


@pytest.mark.parametrize(
    "methods",
    [["rotate", "scale", "perspective"], ["scale", "perspective", "elastic", "perspective"]],
    ids="+".join,
)
def test_nothing_comes_back_from_behind_a_horizon(methods: list[str]):
    """In the widest ranges the picture reaches behind it, in pixels as in shapes."""
    random = np.random.default_rng(5)
    for seed in range(60):
        left, top = int(random.integers(0, 150)), int(random.integers(0, 100))
        wide, high = (int(side) for side in random.integers(20, 50, 2))
        ring = (left, top, left + wide, top, left + wide, top + high, left, top + high)
        shape = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        shape[top : top + high, left : left + wide] = 1
        told = {name: ends for name, ends in WIDE.items() if name in methods}
        pixels = painted((255, 255, 255), shape)
        for one in (
            Annotation(1, "thing", (left, top, wide, high), (ring,)),
            Annotation(1, "thing", (left, top, wide, high), mask=mask_of(shape)),
        ):
            (made,) = moved(pixels, one, methods, seed, **told)
            there, found = made.array()[:, :, 0] > 127, made.annotations.annotations
            if there.sum() < 100 or min(there.any(axis=0).sum(), there.any(axis=1).sum()) < 6:
                assert not found or found[0].box[2] * found[0].box[3] < 500, "no ghost"
                continue
            rows, columns = np.nonzero(there)
            x, y, w, h = found[0].box
            assert (x, y) == pytest.approx((columns.min(), rows.min()), abs=4), seed
            assert (x + w, y + h) == pytest.approx((columns.max() + 1, rows.max() + 1), abs=4), seed


def test_little_that_is_left_is_dropped():
    shape = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    box = Annotation(1, "thing", (0, 0, 40, 40))
    shape[:40, :40] = 1
    pixels = painted((255, 255, 255), shape)
    for share, kept in ((0.1, 1), (0.95, 0)):
        made = moved(pixels, box, ["translate"], 0, translate=(-0.1, -0.1), min_visibility=share)
        assert len(made[0].annotations.annotations) == kept


def test_what_is_erased_is_hidden():
    shape = polygon(STAR)
    points = tuple(part for x, y in POINTS for part in (x, y, 2.0))
    whole = Annotation(
        1,
        "thing",
        (0, 0, *SIZE),
        mask=mask_of(np.ones((SIZE[1], SIZE[0]), np.uint8)),
        keypoints=points,
    )
    for seed in range(6):
        (made,) = moved(painted((9, 9, 9), shape), whole, ["erase"], seed, erase=(0.3, 0.6))
        drawn = made.info["drawn"]
        left, upper = drawn["erase.left"], drawn["erase.top"]
        (found,) = made.annotations.annotations
        gone = bitmap_of(found.mask) == 0
        rows, columns = np.nonzero(gone)
        assert (columns.min(), rows.min()) == (left, upper)
        assert not made.array()[gone].any()
        for x, y, shown in np.array(found.keypoints).reshape(-1, 3):
            assert shown == (1 if gone[int(y), int(x)] else 2)
        x, y, w, h = found.box
        rows, columns = np.nonzero(bitmap_of(found.mask))
        assert (x, y) == (columns.min(), rows.min())
        assert (x + w, y + h) == (columns.max() + 1, rows.max() + 1)


def square(left: float, top: float, side: float) -> tuple[float, ...]:
    return (left, top, left + side, top, left + side, top + side, left, top + side)


def spots(left: int, top: int, side: int) -> np.ndarray:
    bitmap = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    bitmap[top : top + side, left : left + side] = 1
    return bitmap


ROOM = (40, 40, 150, 100)
"""A box that is larger than the shape in it: most of it is seen whatever is painted over."""


def shapes_at(left: int, top: int) -> dict[str, Annotation]:
    """Return a shape of 10 × 10 pixels of each kind."""
    ring, mask = square(left, top, 10), mask_of(spots(left, top, 10))
    return {
        "box": Annotation(1, "thing", (left, top, 10, 10)),
        "polygon": Annotation(1, "thing", polygons=(ring,)),
        "polygon in a box": Annotation(1, "thing", ROOM, (ring,)),
        "mask": Annotation(1, "thing", mask=mask),
        "mask in a box": Annotation(1, "thing", ROOM, mask=mask),
    }


@pytest.mark.parametrize("kind", shapes_at(0, 0))
def test_what_is_erased_whole_is_gone(kind: str):
    """A part of 173 × 150 pixels is painted, that begins at 27 at most."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 9, np.uint8)
    wide = {"erase": (1, 1), "erase_ratio": (1, 1), "min_visibility": 0}
    for seed in range(3):
        (made,) = moved(pixels, shapes_at(90, 60)[kind], ["erase"], seed, **wide)
        assert made.annotations.annotations == ()
        assert not made.array()[60:70, 90:100].any()


@pytest.mark.parametrize("kind", shapes_at(0, 0))
@pytest.mark.parametrize(("least", "kept"), [(0.0, True), (0.3, True), (0.5, False)])
def test_what_is_erased_in_part_is_judged_by_its_shape(kind: str, least: float, kept: bool):
    """Of ten columns six are painted over."""
    one = shapes_at(90, 60)[kind]
    found = covered(ImageAnnotations(*SIZE, (one,)), (80, 50, 16, 40), least).annotations
    assert bool(found) is kept
    if kept and one.mask is not None:
        assert (bitmap_of(found[0].mask) == spots(90, 60, 10) * (np.arange(SIZE[0]) >= 96)).all()
        assert found[0].box in (None, (96, 60, 4, 10))
    elif kept:
        assert found == (one,)


def test_areas_that_are_said_are_those_that_are_left():
    masked = Annotation(1, "thing", (90, 60, 10, 10), mask=mask_of(spots(90, 60, 10)), area=100.0)
    (found,) = covered(ImageAnnotations(*SIZE, (masked,)), (80, 50, 16, 40), 0).annotations
    assert found.area == 40
    points = Annotation(1, "thing", keypoints=(90, 60, 2, 99, 60, 2))
    (found,) = covered(ImageAnnotations(*SIZE, (points,)), (80, 50, 16, 40), 0.9).annotations
    assert found.keypoints == (90, 60, 1, 99, 60, 2)


def test_mosaic_and_mixup_bring_the_annotations_of_all():
    one, other = np.zeros((150, 200, 3), np.uint8), np.zeros((90, 120, 3), np.uint8)
    one[40:70, 60:110], other[30:60, 40:80] = 255, 255
    first, second = Picture(one), Picture(other)
    first.annotations = ImageAnnotations(200, 150, (Annotation(1, "a", BOX),), ("indoor",))
    second.annotations = ImageAnnotations(120, 90, (Annotation(1, "b", (40, 30, 40, 30)),), ("x",))
    for method in ("mosaic", "mixup"):
        context = pictures.context(2, partners=[lambda: second] * 3)
        (made,) = Augment(methods=[method], min_visibility=0).apply_all(first, context)
        found = made.annotations
        assert {*found.labels} == {"indoor", "x"}
        assert len({mark.id for mark in found.annotations}) == len(found.annotations)
        assert {mark.category for mark in found.annotations} >= {"b"}
        for mark in found.annotations:
            left, top, wide, high = (round(part) for part in mark.box)
            if wide < 6 or high < 6:
                continue
            inner = made.array()[top + 2 : top + high - 2, left + 2 : left + wide - 2]
            assert inner.min() > 30, method


def test_without_annotations_there_are_none():
    picture = Picture(np.zeros((40, 40, 3), np.uint8))
    for name in ("rotate", "erase", "mosaic", "mixup", "tile"):
        for made in Augment(methods=[name]).apply_all(picture, pictures.context()):
            assert made.annotations is None
