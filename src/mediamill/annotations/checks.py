"""What is looked at before a set of annotations is stored, once all of it is read."""

from collections.abc import Iterator

import msgspec

from mediamill.annotations.index import FileFacts, Image, Index
from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.annotations.rle import counts_of
from mediamill.core.errors import InvalidInput

SLACK = 1.0
"""By so many pixels a shape may reach over the edge: programs round."""


class Annotated(msgspec.Struct, frozen=True):
    """A file of the set with all that is known of it."""

    file: str
    path: str
    split: str
    content: ImageAnnotations


def checked(index: Index) -> Iterator[Annotated]:
    """Yield every picture that has its file, with what is right of its annotations.

    What is wrong is listed in the index; the list is whole when the last picture is taken.
    """
    for key, place in index.orphans():
        words = f"There is no image {key}; add it to the images, or remove the annotation."
        index.find("error", "orphan", words, place)
    for number, image, place in index.images():
        file = _file_of(index, image, place)
        if file is None:
            continue
        if not index.claim(number, file.id):
            words = f"Another image of the set is {file.path} too; each file may be named once."
            index.find("error", "image_twice", words, place)
            continue
        width, height = _size(index, image, file, place)
        if width and height:
            yield _annotated(index, image, file, width, height)


def _file_of(index: Index, image: Image, place: str) -> FileFacts | None:
    found = index.candidates(image.path)
    if len(found) == 1:
        return found[0]
    if found:
        words = f"Several files are named {image.path}: give them different names, or folders."
        index.find("error", "ambiguous_image", words, place)
    else:
        words = f"There is no file {image.path}; add it first, or remove it from the set."
        index.find("error", "missing_image", words, place)
    return None


def _size(index: Index, image: Image, file: FileFacts, place: str) -> tuple[int, int]:
    """Return the size that shapes are in, (0, 0) where the set and the file do not agree."""
    said, real = (image.width, image.height), (file.width, file.height)
    if not all(said) or not all(real):
        if all(real) or all(said):
            return real if all(real) else said
        words = f"Neither the set nor the file says what size {image.path} has."
        index.find("error", "no_size", words, place)
        return 0, 0
    if said != real:
        turned = (
            " It was measured before the camera’s turn was applied." if said == real[::-1] else ""
        )
        words = (
            f"The set says that {image.path} has {said[0]} × {said[1]} pixels, the file has "
            f"{real[0]} × {real[1]}.{turned} Annotate this file, or bring the one that was."
        )
        index.find("error", "wrong_size", words, place)
        return 0, 0
    return real


def _annotated(
    index: Index, image: Image, file: FileFacts, width: int,
    height: int,
) -> Annotated:  # fmt: skip
    kept: list[Annotation] = []
    pairs = {}
    for key, one, place in index.annotations(image.key):
        category = index.categories.get(key)
        if category is None:
            words = f"There is no category {key}; add it to the categories."
            index.find("error", "unknown_category", words, place)
            continue
        wrong = list(problems(one, category, width, height))
        for level, code, words in wrong:
            index.find("error" if level else "warning", code, words, place)
        if not any(level for level, _, _ in wrong):
            kept.append(msgspec.structs.replace(one, category=category.name))
            if category.pairs and one.keypoints:
                pairs[category.name] = category.pairs
    extra = image.extra if isinstance(image.key, str) else {"id": image.key, **image.extra}
    content = ImageAnnotations(width, height, tuple(kept), image.labels, extra, pairs)
    return Annotated(file.id, file.path, image.split, content)


def problems(
    one: Annotation, category: Category, width: int, height: int
) -> Iterator[tuple[bool, str, str]]:
    """Yield what is wrong with one annotation: whether it is an error, its code, what to do."""
    if one.box is not None:
        yield from _box_problems(one.box, width, height)
    for ring in one.polygons:
        yield from _ring_problems(ring, width, height)
    if one.mask is not None:
        if (one.mask.width, one.mask.height) != (width, height):
            extent = f"{one.mask.width} × {one.mask.height}"
            words = f"The mask has {extent} pixels, the image {width} × {height}."
            yield True, "wrong_mask", words
        else:
            try:
                counts_of(one.mask)
            except InvalidInput as error:
                yield True, "wrong_mask", error.message
    if one.keypoints:
        yield from _point_problems(one.keypoints, category, width, height)


def _box_problems(
    box: tuple[float, float, float, float], width: int, height: int
) -> Iterator[tuple[bool, str, str]]:
    x, y, w, h = box
    if w <= 0 or h <= 0:
        yield True, "wrong_box", f"The box is {w:g} × {h:g} pixels: it holds nothing."
    elif x >= width or y >= height or x + w <= 0 or y + h <= 0:
        yield True, "box_outside", "The box lies outside of the picture."
    elif min(x, y) < -SLACK or x + w > width + SLACK or y + h > height + SLACK:
        yield False, "box_over_edge", "The box reaches over the edge of the picture."


def _ring_problems(
    ring: tuple[float, ...], width: int, height: int
) -> Iterator[tuple[bool, str, str]]:
    if len(ring) < 6 or len(ring) % 2:
        yield True, "wrong_polygon", f"A polygon needs three corners: it has {len(ring)} numbers."
        return
    xs, ys = ring[::2], ring[1::2]
    if max(xs) <= 0 or max(ys) <= 0 or min(xs) >= width or min(ys) >= height:
        yield True, "polygon_outside", "A polygon lies outside of the picture."
    elif min(*xs, *ys) < -SLACK or max(xs) > width + SLACK or max(ys) > height + SLACK:
        yield False, "polygon_over_edge", "A polygon reaches over the edge of the picture."


def _point_problems(
    points: tuple[float, ...], category: Category, width: int, height: int
) -> Iterator[tuple[bool, str, str]]:
    known = len(category.keypoints)
    if len(points) % 3 or (known and len(points) != 3 * known):
        expected = f"three for each of the {known} of {category.name}" if known else "three each"
        yield (
            True,
            "wrong_keypoints",
            f"There are {len(points)} numbers of key points, not {expected}.",
        )
        return
    if any(seen not in (0, 1, 2) for seen in points[2::3]):
        yield True, "wrong_keypoints", "The third number of a key point is 0, 1 or 2."
    seen = [(x, y) for x, y, v in zip(points[::3], points[1::3], points[2::3], strict=True) if v]
    if any(not (-SLACK <= x <= width and -SLACK <= y <= height) for x, y in seen):
        yield False, "keypoint_outside", "A key point that is said to be there is outside."
