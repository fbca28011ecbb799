"""YOLO's text files and `data.yaml`, in the layout of Ultralytics: `labels/{split}/{name}.txt`."""

from collections.abc import Iterable, Sequence

import msgspec

from mediamill.annotations.complete import completed, ring_area
from mediamill.annotations.model import Annotation, Category, ImageAnnotations, Ring
from mediamill.annotations.write import Files, Losses, Pictured

SPLITS = {"train": "train", "validation": "val", "test": "test", "": "train"}
"""Names of folders; what is in no split counts as train."""


def yolo_files(
    categories: Sequence[Category], pictures: Iterable[Pictured], losses: Losses
) -> Files:
    """Yield `data.yaml` and a text file per picture.

    Classes are counted from 0 in the order of their numbers. Where all of them have key points it
    is a set of poses: lines are box and key points. Else lines are boxes, or polygons, several
    parts joined by lines there and back; in a picture with polygons boxes are written as such, as
    Ultralytics reads all lines of a file as polygons where one is (`verify_image_label`). Masks,
    crowds and labels are lost, and polygons of poses, key points of others; what has none of its
    own gets the box around its shape.
    """
    ordered = sorted(categories, key=lambda category: category.number)
    numbers = {category.name: place for place, category in enumerate(ordered)}
    points = _points_of(ordered)
    yield "data.yaml", [_data(ordered, points)]
    for picture in pictures:
        content = picture.content
        outlined = not points and any(one.polygons and not one.crowd for one in content.annotations)
        lines = [
            line
            for one in content.annotations
            if (line := _line(one, numbers[one.category], content, points, outlined, losses))
        ]
        for _ in content.labels:
            losses.lost("label")
        path = f"labels/{SPLITS[picture.split]}/{stem_of(picture.path)}.txt"
        yield path, ["".join(f"{line}\n" for line in lines).encode()]


def stem_of(path: str) -> str:
    """Return a picture's path without its ending, by which its labels are called."""
    head, dot, tail = path.rpartition(".")
    return head if dot and "/" not in tail else path


def _points_of(categories: Sequence[Category]) -> int:
    """Return how many key points the lines of a set have: none where a class has none."""
    counts = [len(category.keypoints) for category in categories]
    return max(counts, default=0) if all(counts) else 0


def _data(categories: Sequence[Category], points: int) -> bytes:
    lines = ["train: images/train", "val: images/val", "test: images/test"]
    if points:
        lines.append(f"kpt_shape: [{points}, 3]")
        lines.append(f"flip_idx: {_flips(categories, points)}")
    lines.append(f"nc: {len(categories)}")
    lines.append("names:")
    lines += [f"  {n}: {_quoted(category.name)}" for n, category in enumerate(categories)]
    return "".join(f"{line}\n" for line in lines).encode()


def _quoted(name: str) -> str:
    """Write a text for YAML, whose double quotes are JSON's."""
    return msgspec.json.encode(name).decode()


def _flips(categories: Sequence[Category], points: int) -> list[int]:
    order = list(range(points))
    for category in categories:
        for here, there in category.pairs:
            if max(here, there) < points:
                order[here], order[there] = there, here
    return order


def _line(
    one: Annotation,
    number: int,
    content: ImageAnnotations,
    points: int,
    outlined: bool,
    losses: Losses,
) -> str:
    if one.crowd:
        losses.lost("crowd")
        return ""
    if one.mask is not None:
        losses.lost("mask")
    if one.keypoints and not points:
        losses.lost("keypoints")
    if one.polygons and not points:
        return _words(number, _parts(_whole(one.polygons), content))
    around = completed(one).box
    if around is None:
        losses.lost("no_box")
        return ""
    if one.polygons:
        losses.lost("polygon")
    x, y, w, h = around
    if outlined:
        corners = (x, y, x + w, y, x + w, y + h, x, y + h)
        return _words(number, _parts(corners, content))
    box = _parts((x + w / 2, y + h / 2, w, h), content)
    return _words(number, box + _points(one, content, points))


def _points(one: Annotation, content: ImageAnnotations, points: int) -> list[float]:
    found: list[float] = []
    for at in range(0, 3 * points, 3):
        x, y, seen = one.keypoints[at : at + 3] or (0.0, 0.0, 0.0)
        found += [*_parts((x, y), content), seen]
    return found


def _parts(values: Sequence[float], content: ImageAnnotations) -> list[float]:
    """Return x, y, x, y … as parts of width and height, in 0…1."""
    sizes = content.width, content.height
    return [min(1.0, max(0.0, value / sizes[n % 2])) for n, value in enumerate(values)]


def _words(number: int, values: Sequence[float]) -> str:
    return " ".join([str(number), *(f"{value:.8f}".rstrip("0").rstrip(".") for value in values)])


def _whole(rings: Sequence[Ring]) -> Ring:
    """Return rings as one, which goes from the largest to each other one and back."""
    if len(rings) == 1:
        return rings[0]
    ordered = sorted(rings, key=ring_area, reverse=True)
    begin = ordered[0][:2]
    whole = ordered[0] + begin
    for ring in ordered[1:]:
        whole += ring + ring[:2] + begin
    return whole
