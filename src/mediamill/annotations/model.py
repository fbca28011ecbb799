"""What is drawn on a picture and said about it: boxes, polygons, masks, key points, labels.

Coordinates are pixels of the upright picture. Boxes and polygons measure from the corner of the
picture, so a box over all of it is (0, 0, width, height); key points name pixels, so (0, 0) is the
middle of the first one. Both as COCO has them (https://cocodataset.org/#format-data).

An annotation names its category; what else is known of that, a `Category` says.
"""

from collections.abc import Iterable
from typing import Any, Self

import msgspec

Box = tuple[float, float, float, float]
"""Left, top, width, height."""

Ring = tuple[float, ...]
"""A closed line: x, y of one corner after the other, the first not repeated."""


class Rle(msgspec.Struct, frozen=True):
    """A mask as lengths of runs, down the columns from the left, the first run outside.

    `counts` is a tuple, or COCO's compressed spelling of it as text.
    """

    height: int
    width: int
    counts: str | tuple[int, ...]


class Annotation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One object in a picture. `extra` holds what other programs wrote beside it."""

    id: int | str
    category: str
    box: Box | None = None
    polygons: tuple[Ring, ...] = ()
    mask: Rle | None = None
    # x, y, v one after the other; v: 0 not there, 1 hidden, 2 seen
    keypoints: tuple[float, ...] = ()
    # a mask over many objects that nobody told apart (COCO's `iscrowd`)
    crowd: bool = False
    area: float | None = None
    extra: dict[str, Any] = {}


class ImageAnnotations(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is known of one picture of `width` × `height` pixels."""

    width: int
    height: int
    annotations: tuple[Annotation, ...] = ()
    # categories of the picture as a whole
    labels: tuple[str, ...] = ()
    extra: dict[str, Any] = {}
    # key points that change places in a mirror, by category: pairs of positions
    pairs: dict[str, tuple[tuple[int, int], ...]] = {}

    def encode(self) -> bytes:
        """Write as JSON, the same bytes for the same content."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `msgspec.ValidationError` for anything else."""
        return msgspec.json.decode(data, type=cls)

    def with_annotations(self, annotations: Iterable[Annotation]) -> Self:
        """Return the same picture with other annotations."""
        return msgspec.structs.replace(self, annotations=tuple(annotations))


class Category(msgspec.Struct, frozen=True, omit_defaults=True):
    """A class of objects: its number (COCO's `id`, kept), its name and how it is drawn."""

    number: int
    name: str
    supercategory: str = ""
    colour: str = ""
    keypoints: tuple[str, ...] = ()
    # bones between key points, positions counted from 1 as in COCO
    skeleton: tuple[tuple[int, int], ...] = ()
    # pairs of key points that change places in a mirror, positions counted from 0
    pairs: tuple[tuple[int, int], ...] = ()
    extra: dict[str, Any] = {}
