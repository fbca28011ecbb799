"""YOLO labels in and out: boxes, polygons and key points, a text file per image.

A line is `class cx cy w h`, all but the class as parts of width and height; with more numbers a
polygon `class x1 y1 x2 y2 …`, or, where `data.yaml` has `kpt_shape`, box and key points
(https://docs.ultralytics.com/datasets/). Folders tell splits: `labels/train/a.txt` (Ultralytics) as
well as `train/labels/a.txt` (Roboflow), and so do the lists `train.txt`, `val.txt`, `test.txt`.
Names come from `data.yaml`, `classes.txt` or `obj.names`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mediamill.annotations.book import MAX_CLASSES
from mediamill.annotations.coco import mirrored
from mediamill.annotations.index import FileFacts, Image, Index, base_of
from mediamill.annotations.model import Annotation, Category, Ring
from mediamill.annotations.tree import LISTS, Tree, listed_splits, names_of, split_of, text
from mediamill.annotations.values import name, parsed
from mediamill.core.errors import InvalidInput

NAMES = ("classes.txt", "obj.names", "predefined_classes.txt", "_darknet.labels")
NOT_LABELS = (*NAMES, *LISTS, "readme.txt",
              "requirements.txt", "readme.dataset.txt", "readme.roboflow.txt")  # fmt: skip
MOST_LINES = 100_000
"""Objects of one image."""


_CLASS = re.compile(r"[0-9]{1,5}")


class Shape(NamedTuple):
    """What `data.yaml` says about the lines."""

    keypoints: int = 0
    numbers: int = 0
    """Of a key point: 2, or 3 with visibility."""


def labels_in(tree: Tree) -> list[str]:
    """List the label files of a tree, those in folders named `labels` where there are such."""
    found = [
        path for path in tree.sizes
        if path.endswith(".txt") and base_of(path).lower() not in NOT_LABELS
    ]  # fmt: skip
    inside = [path for path in found if "labels" in path.split("/")[:-1]]
    return sorted(inside or found)


def read(tree: Tree, index: Index, progress: Callable[[float], None]) -> None:
    """Read a tree into an index that knows the images’ sizes; what is wrong is listed there."""
    settings, place = _settings(tree, index)
    shape = _shape(settings)
    names = _names(tree, settings)
    pairs = _pairs(settings)
    for number, label in enumerate(names):
        points = _point_names(settings, number, shape)
        category = Category(number, label, keypoints=points, pairs=pairs or mirrored(points))
        index.add_category(number, category, place)
    labels = labels_in(tree)
    reading = _Reading(tree, index, shape, named=bool(names))
    for done, path in enumerate(labels):
        reading.file(path)
        progress(done / len(labels))


class _Reading:
    def __init__(self, tree: Tree, index: Index, shape: Shape, *, named: bool) -> None:
        self._tree, self._index, self._shape, self._named = tree, index, shape, named
        self._count = 0
        self._splits = listed_splits(tree)

    def _split(self, path: str) -> str:
        """Return what a list says of an image, else what its folders say."""
        said = (self._splits[name] for name in names_of(path) if name in self._splits)
        return next(said, "") or split_of(path, named=False)

    def file(self, path: str) -> None:
        """Read the labels of one image."""
        found = self._index.candidates(path, by_stem=True)
        if len(found) != 1:
            self._index.find("error", *_unmatched(path, len(found)), path)
            return
        (file,) = found
        image = Image(path, file.path, split=self._split(path))
        if not file.width or not file.height:
            words = f"The size of {file.path} is not known, so its labels have no place."
            self._index.find("error", "no_size", words, path)
        elif self._index.add_image(image, path):
            self._lines(path, file)

    def _lines(self, path: str, file: FileFacts) -> None:
        try:
            lines = text(self._tree, path).decode("utf-8-sig").splitlines()
            if len(lines) > MOST_LINES:
                raise InvalidInput(f"There are more than {MOST_LINES:,} lines.")
        except (InvalidInput, UnicodeDecodeError) as error:
            words = getattr(error, "message", "This is no text in UTF-8.")
            self._index.find("error", "unreadable", words, path)
            return
        for place, line in enumerate(lines, start=1):
            if words := line.split():
                self._line(words, file, path, f"{path}:{place}")

    def _line(self, words: list[str], file: FileFacts, path: str, at: str) -> None:
        try:
            if not _CLASS.fullmatch(words[0]):
                raise InvalidInput("The class is no number, counted from 0.")
            number = int(words[0])
            self._count += 1
            one = _annotation(
                self._count, parsed(words[1:], "The line"), self._shape, file.width, file.height
            )
        except InvalidInput as error:
            self._index.find("error", "unreadable", error.message, at)
            return
        if not self._named and number not in self._index.categories:
            self._index.add_category(number, Category(number, f"class-{number}"), at)
            words_ = f"No data.yaml or classes.txt names class {number}; it is class-{number}."
            self._index.find("warning", "no_names", words_, at)
        self._index.add(path, number, one, at)


def _unmatched(path: str, count: int) -> tuple[str, str]:
    if count:
        return "ambiguous_image", f"More than one image may belong to {path}: rename them."
    return "missing_image", f"There is no image that belongs to {path}."


def _annotation(
    number: int, values: Sequence[float], shape: Shape, width: int, height: int
) -> Annotation:
    """Return what a line says, in pixels; raises `InvalidInput` for a wrong count of numbers."""
    points = shape.keypoints * shape.numbers
    if len(values) == 4 or (points and len(values) == 4 + points):
        cx, cy, w, h = values[:4]
        box = ((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height)
        keypoints = _keypoints(values[4:], shape.numbers, width, height) if points else ()
        return Annotation(number, "", box, keypoints=keypoints)
    if len(values) >= 6 and len(values) % 2 == 0 and not points:
        ring = tuple(v * (height if n % 2 else width) for n, v in enumerate(values))
        return Annotation(number, "", around(ring), (ring,))
    expected = f"4 or {4 + points}" if points else "4, or at least three corners,"
    raise InvalidInput(f"{expected} numbers after the class were expected, not {len(values)}.")


def _keypoints(values: Sequence[float], each: int, width: int, height: int) -> tuple[float, ...]:
    found: list[float] = []
    for at in range(0, len(values), each):
        x, y = values[at : at + 2]
        seen = values[at + 2] if each == 3 else 2.0 * bool(x or y)
        found += (x * width, y * height, float(round(seen))) if seen > 0 else (0.0, 0.0, 0.0)
    return tuple(found)


def around(ring: Ring) -> tuple[float, float, float, float]:
    """Return the box around a ring."""
    left, top = min(ring[::2]), min(ring[1::2])
    return left, top, max(ring[::2]) - left, max(ring[1::2]) - top


def _settings(tree: Tree, index: Index) -> tuple[Mapping[str, Any], str]:
    """Return what `data.yaml` says, and its path; what is wrong with it is listed."""
    from mediamill.annotations import plain_yaml

    paths = [path for path in tree.sizes if path.endswith((".yaml", ".yml"))]
    paths.sort(key=lambda path: (base_of(path) != "data.yaml", path.count("/"), path))
    for path in paths[:1]:
        try:
            found = plain_yaml.load(text(tree, path))
        except InvalidInput as error:
            index.find("error", "unreadable", error.message, path)
            continue
        if isinstance(found, dict):
            return found, path
    return {}, "classes.txt"


def _shape(settings: Mapping[str, Any]) -> Shape:
    said = settings.get("kpt_shape")
    if said is None:
        return Shape()
    if (
        isinstance(said, list)
        and len(said) == 2
        and all(isinstance(part, int) for part in said)
        and 0 < said[0] <= 1000
        and said[1] in (2, 3)
    ):
        return Shape(*said)
    raise InvalidInput("kpt_shape in data.yaml must be [number of key points, 2 or 3].")


def _names(tree: Tree, settings: Mapping[str, Any]) -> list[str]:
    said = settings.get("names")
    if isinstance(said, dict):
        keys = sorted(key for key in said if isinstance(key, int) and 0 <= key < 100_000)
        if keys != list(range(len(said))):
            raise InvalidInput("The names in data.yaml are not numbered from 0 without a gap.")
        said = [said[key] for key in keys]
    if said is None:
        said = next((_lines_of(tree, path) for path in sorted(tree.sizes)
                     if base_of(path).lower() in NAMES), [])  # fmt: skip
    if not isinstance(said, list):
        raise InvalidInput("The names in data.yaml are neither a list nor numbered.")
    if not all(map(_short, said)):
        raise InvalidInput("A name of a class in data.yaml is neither text nor a number.")
    return [name(str(one), "The name of a class") for one in said[: MAX_CLASSES + 1]]


def _short(value: Any) -> bool:
    """Tell whether a value is one, and short as text."""
    if isinstance(value, int):
        return abs(value) < 1 << 63
    return not isinstance(value, list | dict | set | tuple)


def _lines_of(tree: Tree, path: str) -> list[str]:
    lines = text(tree, path).decode(errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _pairs(settings: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """Return the pairs that `flip_idx` exchanges."""
    said = settings.get("flip_idx")
    if not isinstance(said, list) or not all(isinstance(one, int) for one in said):
        return ()
    return tuple((here, there) for here, there in enumerate(said) if here < there)


def _point_names(settings: Mapping[str, Any], number: int, shape: Shape) -> tuple[str, ...]:
    said = settings.get("kpt_names")
    names = said.get(number) if isinstance(said, dict) else None
    if isinstance(names, list) and len(names) == shape.keypoints:
        return tuple(one[:200] if isinstance(one, str) else "" for one in names)
    return tuple(f"point-{place + 1}" for place in range(shape.keypoints))
