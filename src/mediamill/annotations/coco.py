"""COCO JSON in and out (https://cocodataset.org/#format-data), and the fields that others add.

Unchanged in and out keeps ids, polygons, masks in their spelling, `iscrowd`, key points,
categories, `info`, `licenses` and every field that is not known here. What evaluators need and
nobody said is added: `bbox`, `area`, `num_keypoints`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from mediamill.annotations.complete import completed, labelled
from mediamill.annotations.index import Image, Index
from mediamill.annotations.model import Annotation, Box, Category, Ring, Rle
from mediamill.annotations.scan import Scanner
from mediamill.annotations.values import MAX_NAME, key, name, number, numbers, size
from mediamill.core.errors import InvalidInput

BESIDE = "mediamill_mask"
"""A mask of what has polygons too: COCO's `segmentation` holds one of them."""
CATEGORY = ("id", "name", "supercategory", "keypoints", "skeleton")
IMAGE = ("file_name", "width", "height", "labels")
ANNOTATION = ("id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd",
              "keypoints", BESIDE)  # fmt: skip


def read(
    stream: BinaryIO,
    index: Index,
    *,
    split: str = "",
    where: str = "",
    scoped: bool = False,
    progress: Callable[[int], None] = lambda position: None,
) -> None:
    """Read a file into an index; images are beside it, at its path `where` in the set.

    One of several is `scoped`: its ids are its own, as each counts from 1. What is wrong with a
    part is listed in the index; raises `BrokenMedia` where this is no JSON object.
    """
    Reading(index, split, where, scoped=scoped).read(Scanner(stream), progress)


class Reading:
    """One file on its way into an index."""

    def __init__(self, index: Index, split: str, where: str, *, scoped: bool) -> None:
        self._index, self._split, self._where = index, split, where
        self._scope = f"{where}:" if scoped else ""
        self._nameless = 0

    def read(self, scanner: Scanner, progress: Callable[[int], None]) -> None:
        lists: dict[str, Callable[[Any, str], None]] = {
            "images": self._image,
            "annotations": self._annotation,
            "categories": self._category,
        }
        seen = set()
        for member, place, value in scanner.elements():
            seen.add(member)
            at = f"{self._scope}{member}" + (f"[{place}]" if place is not None else "")
            if isinstance(value, msgspec.DecodeError):
                self._index.find("error", "not_json", f"This is not JSON: {value}.", at)
            elif member in lists:
                if place != -1:
                    self._one(lists[member], value, at, listed=place is not None)
            else:
                self._other(member, place, value, at)
            progress(scanner.position)
        if not seen & {"images", "annotations"}:
            raise InvalidInput(
                "This JSON has neither images nor annotations, so it is not COCO's format."
            )

    def _one(self, take: Callable[[Any, str], None], value: Any, at: str, *, listed: bool) -> None:
        try:
            if not listed or not isinstance(value, dict):
                raise InvalidInput("An object was expected here.")
            take(value, at)
        except InvalidInput as error:
            self._index.find("error", "unreadable", error.message, at)

    def _other(self, member: str, place: int | None, value: Any, at: str) -> None:
        if place == -1:
            self._index.describe(member, [], at, listed=False)
        else:
            self._index.describe(member, value, at, listed=place is not None)

    def _category(self, value: dict[str, Any], at: str) -> None:
        found = key(value.get("id"), "The category’s id")
        if not isinstance(found, int):
            raise InvalidInput("The category’s id is no whole number.")
        category = category_of(found, value)
        if not (self._scope and self._index.categories.get(found) == category):
            self._index.add_category(found, category, at)

    def _image(self, value: dict[str, Any], at: str) -> None:
        image = Image(
            self._own(value.get("id"), "The image’s id"),
            _path(self._where, value.get("file_name")),
            size(value.get("width"), "The image’s width"),
            size(value.get("height"), "The image’s height"),
            self._split,
            _names(value.get("labels"), "A label"),
            _extra(value, IMAGE),
        )
        self._index.add_image(image, at)

    def _own(self, value: Any, what: str) -> int | str:
        """Return an id of this file as one of the set; raises `InvalidInput`."""
        found = key(value, what)
        return f"{self._scope}{found}" if self._scope else found

    def _annotation(self, value: dict[str, Any], at: str) -> None:
        image = self._own(value.get("image_id"), "The annotation’s image_id")
        category = key(value.get("category_id"), "The annotation’s category_id")
        if value.get("id") is None:
            self._nameless += 1
            found: int | str = f"{self._scope}-{self._nameless}"
            self._index.find("warning", "no_id", "The annotation has no id; it gets one.", at)
        else:
            found = self._own(value["id"], "The annotation’s id")
        self._index.add(image, category, annotation_of(found, "", value), at)


def category_of(number: int, value: Mapping[str, Any]) -> Category:
    """Return COCO's category as ours; raises `InvalidInput`."""
    points = _names(value.get("keypoints"), "A key point’s name")
    bones = value.get("skeleton") or ()
    try:
        skeleton = msgspec.convert(bones, tuple[tuple[int, int], ...])
    except msgspec.ValidationError:
        raise InvalidInput("The skeleton is no list of pairs of positions.") from None
    return Category(
        number,
        name(value.get("name"), "The category’s name"),
        str(value.get("supercategory") or "")[:MAX_NAME],
        keypoints=points,
        skeleton=skeleton,
        pairs=mirrored(points),
        extra=_extra(value, CATEGORY),
    )


def _names(values: Any, what: str) -> tuple[str, ...]:
    """Return a list of names, which may be missing; raises `InvalidInput`."""
    if values and not isinstance(values, list):
        raise InvalidInput(f"{what} was expected in a list.")
    return tuple(name(value, what) for value in values or ())


def mirrored(points: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pair key points whose names differ in left and right only."""
    places = {point: place for place, point in enumerate(points)}
    pairs = ((places[p], places.get(p.replace("left", "right"))) for p in points if "left" in p)
    return tuple((here, there) for here, there in pairs if there is not None)


def annotation_of(found: int | str, category: str, value: Mapping[str, Any]) -> Annotation:
    """Return COCO's annotation as ours; raises `InvalidInput`."""
    polygons, mask = _segmentation(value.get("segmentation"))
    if mask is None and isinstance(beside := value.get(BESIDE), dict):
        mask = _mask(beside)
    box = value.get("bbox")
    area = value.get("area")
    return Annotation(
        found,
        category,
        None if box is None else _box(box),
        polygons,
        mask,
        numbers(value.get("keypoints") or [], "The list of key points"),
        bool(value.get("iscrowd")),
        None if area is None else float(area) if _finite(area) else number(area, "The area"),
        _extra(value, ANNOTATION),
    )


def _finite(area: Any) -> bool:
    return isinstance(area, int | float) and not isinstance(area, bool) and 0 <= area < 1e14


def _box(value: Any) -> Box:
    found = numbers(value, "The box")
    if len(found) != 4:
        raise InvalidInput("The box has not the four numbers x, y, width, height.")
    return found[0], found[1], found[2], found[3]


def _segmentation(value: Any) -> tuple[tuple[Ring, ...], Rle | None]:
    if isinstance(value, dict):
        return (), _mask(value)
    if value is None or value == []:
        return (), None
    if not isinstance(value, list):
        raise InvalidInput("The segmentation is neither polygons nor a mask.")
    rings = value if isinstance(value[0], list) else [value]
    return tuple(numbers(ring, "A polygon") for ring in rings), None


def _mask(value: dict[str, Any]) -> Rle:
    extent = numbers(value.get("size"), "The mask’s size")
    if len(extent) != 2:
        raise InvalidInput("The mask’s size has not the two numbers height, width.")
    counts = value.get("counts")
    if not isinstance(counts, str):
        try:
            counts = msgspec.convert(counts, tuple[int, ...])
        except msgspec.ValidationError:
            raise InvalidInput("The mask’s runs are neither a text nor whole numbers.") from None
    return Rle(int(extent[0]), int(extent[1]), counts)


def _path(where: str, value: Any) -> str:
    text = name(value, "The image’s file_name").replace("\\", "/")
    return f"{where.rpartition('/')[0]}/{text}".lstrip("/")


def _extra(value: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    return {field: value[field] for field in value if field not in known}


def image_record(found: int | str, path: str, width: int, height: int) -> dict[str, Any]:
    """Make COCO's record of an image."""
    return {"id": found, "file_name": path, "width": width, "height": height}


def category_record(category: Category) -> dict[str, Any]:
    """Make COCO's record of a category."""
    record: dict[str, Any] = {"id": category.number, "name": category.name}
    if category.supercategory:
        record["supercategory"] = category.supercategory
    if category.keypoints:
        record["keypoints"] = category.keypoints
    if category.skeleton:
        record["skeleton"] = category.skeleton
    return record | category.extra


def annotation_record(
    one: Annotation, image: int | str, category: int, points: int = 0
) -> dict[str, Any]:
    """Make COCO's record of an annotation whose class has so many key points.

    It has all that evaluators read of it: of a class with key points also those that are not there.
    """
    whole = completed(one)
    record: dict[str, Any] = {"id": one.id, "image_id": image, "category_id": category}
    if whole.box is not None:
        record["bbox"] = whole.box
    mask = None if one.mask is None else _mask_record(one.mask)
    record["segmentation"] = mask if mask and not one.polygons else one.polygons
    record["area"] = whole.area
    record["iscrowd"] = int(one.crowd)
    if one.keypoints or points:
        record["keypoints"] = one.keypoints or (0,) * 3 * points
        record["num_keypoints"] = labelled(one)
    record |= one.extra
    return record | {BESIDE: mask} if mask and one.polygons else record


def _mask_record(mask: Rle) -> dict[str, Any]:
    return {"size": [mask.height, mask.width], "counts": mask.counts}


def members(document: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the members of a document that are no lists of images, annotations, categories."""
    for member, value in document.items():
        yield msgspec.json.encode(member) + b":" + msgspec.json.encode(value) + b",\n"
