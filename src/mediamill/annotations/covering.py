"""Annotations of a picture on which a rectangle was painted over: what is still seen of them.

NumPy is imported when a function runs: servers know annotations without it.
"""

import msgspec

from mediamill.annotations.clip import area, clipped
from mediamill.annotations.complete import ring_area
from mediamill.annotations.model import Annotation, Box, ImageAnnotations, Ring, Rle
from mediamill.annotations.rle import area_of, bitmap_of, box_of, mask_of

Rectangle = tuple[int, int, int, int]
"""Left, top, width, height in whole pixels."""


def covered(annotations: ImageAnnotations, at: Rectangle, least: float) -> ImageAnnotations:
    """Return annotations after a rectangle was painted over.

    Key points in it count as hidden, masks lose what it covers, and their boxes and areas with
    it. What keeps less than `least` (0…1) of its shape goes, at any rate what is covered whole:
    polygons are judged by their area, else masks by their pixels, else boxes by theirs. Other
    boxes and polygons stay as they are, as do key points alone.
    """
    left = (_covered(one, at, least) for one in annotations.annotations)
    return annotations.with_annotations(one for one in left if one is not None)


def _covered(one: Annotation, at: Rectangle, least: float) -> Annotation | None:
    mask = None if one.mask is None else _without(one.mask, at)
    if _share(one, mask, at) < max(1e-9, least):
        return None
    made = msgspec.structs.replace(one, keypoints=_hidden(one.keypoints, at), mask=mask)
    if mask is None or one.polygons:
        return made
    return msgspec.structs.replace(
        made,
        box=None if one.box is None else box_of(mask),
        area=None if one.area is None else float(area_of(mask)),
    )


def _share(one: Annotation, left: Rle | None, at: Rectangle) -> float:
    """Return how much of a shape is seen, by what is `left` of its mask; 1 where it has none."""
    if one.polygons:
        whole = sum(map(ring_area, one.polygons))
        return 1 - sum(_inside(ring, at) for ring in one.polygons) / whole if whole else 1.0
    if one.mask is not None and left is not None:
        pixels = area_of(one.mask)
        return area_of(left) / pixels if pixels else 0.0
    return 1.0 if one.box is None else _share_of_box(one.box, at)


def _inside(ring: Ring, at: Rectangle) -> float:
    """Return the area of a ring that is in a rectangle (px²)."""
    moved = [(x - at[0], y - at[1]) for x, y in zip(ring[::2], ring[1::2], strict=True)]
    return sum(map(area, clipped(moved, at[2], at[3])))


def _share_of_box(box: Box, at: Rectangle) -> float:
    left, top, width, height = box
    if width * height <= 0:
        return 1.0
    across = min(left + width, at[0] + at[2]) - max(left, at[0])
    down = min(top + height, at[1] + at[3]) - max(top, at[1])
    return 1 - max(0.0, across) * max(0.0, down) / (width * height)


def _hidden(keypoints: tuple[float, ...], at: Rectangle) -> tuple[float, ...]:
    points = list(keypoints)
    for n in range(0, len(points), 3):
        x, y, seen = points[n : n + 3]
        if seen == 2 and at[0] <= x < at[0] + at[2] and at[1] <= y < at[1] + at[3]:
            points[n + 2] = 1
    return tuple(points)


def _without(mask: Rle, at: Rectangle) -> Rle:
    bitmap = bitmap_of(mask)
    bitmap[at[1] : at[1] + at[3], at[0] : at[0] + at[2]] = 0
    return mask_of(bitmap, compress=isinstance(mask.counts, str))
