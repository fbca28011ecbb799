"""What formats, and those who read them, want to know of an annotation, where nobody said it.

Who draws a polygon says no box, and nobody says areas; evaluators of COCO need both
(`pycocotools.cocoeval`), YOLO and VOC have no object without a box. What is said stays as it is.
"""

import msgspec

from mediamill.annotations.clip import area
from mediamill.annotations.model import Annotation, Box, Ring
from mediamill.annotations.rle import area_of, box_of


def completed(one: Annotation) -> Annotation:
    """Return an annotation with its box (px) and area (px²), where nothing has none and 0.

    Both are those of its polygons, else its mask, else its box; a box without any of them is that
    around the pixels of its key points. Raises `InvalidInput` for a mask that cannot be read.
    """
    if one.box is not None and one.area is not None:
        return one
    box = _box(one) if one.box is None else one.box
    size = _area(one, box) if one.area is None else one.area
    return msgspec.structs.replace(one, box=box, area=size)


def labelled(one: Annotation) -> int:
    """Return how many key points are there, hidden or seen: COCO's `num_keypoints`."""
    return sum(seen > 0 for seen in one.keypoints[2::3])


def _box(one: Annotation) -> Box | None:
    if one.polygons:
        return _around([value for ring in one.polygons for value in ring])
    if one.mask is not None:
        return box_of(one.mask)
    points = zip(one.keypoints[::3], one.keypoints[1::3], one.keypoints[2::3], strict=True)
    pixels = [side for x, y, seen in points if seen for side in (x, y, x + 1, y + 1)]
    return _around(pixels) if pixels else None


def _around(line: list[float]) -> Box:
    left, top = min(line[::2]), min(line[1::2])
    return left, top, max(line[::2]) - left, max(line[1::2]) - top


def _area(one: Annotation, box: Box | None) -> float:
    if one.polygons:
        return sum(map(ring_area, one.polygons))
    if one.mask is not None:
        return float(area_of(one.mask))
    return 0.0 if box is None else box[2] * box[3]


def ring_area(ring: Ring) -> float:
    """Return the area of a ring (px²)."""
    return area(list(zip(ring[::2], ring[1::2], strict=True)))
