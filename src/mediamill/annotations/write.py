"""Sets of annotations as files of the formats: path and bytes of one file after the other.

    for path, chunks in written("coco", categories, pictures, document):
        ...

What a format cannot hold is counted by `lost` in `Losses`, never left out in silence.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from mediamill.annotations import coco
from mediamill.annotations.model import Category, ImageAnnotations

Format = Literal["coco", "yolo", "voc"]
FORMATS: tuple[Format, ...] = get_args(Format)
LEFT_OUT = "not-exported.json"
"""The member of a set that counts what its format cannot hold."""
RENAMED = "renamed.json"
"""The member of a set that tells which pictures are called otherwise in it, and their own names."""
SPOOL = 8 << 20
CHUNK = 1 << 18


class Pictured(msgspec.Struct, frozen=True):
    """A picture to write: its path in the set, and what is known of it."""

    path: str
    content: ImageAnnotations
    split: str = ""


class Losses:
    """What could not be written, by reason."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def lost(self, reason: str) -> None:
        """Count one."""
        self.counts[reason] = self.counts.get(reason, 0) + 1


Files = Iterator[tuple[str, Iterable[bytes]]]


def written(
    form: Format,
    categories: Sequence[Category],
    pictures: Iterable[Pictured],
    document: Mapping[str, Any] | None = None,
    losses: Losses | None = None,
    *,
    coco_path: str = "annotations.json",
) -> Files:
    """Yield path and content of the files that hold a set; the content is to be read at once.

    The same set gives the same bytes. COCO is one file; YOLO has a text per picture beside
    `data.yaml`, VOC an XML file per picture.
    """
    losses = losses or Losses()
    if form == "coco":
        yield coco_path, coco_json(categories, pictures, document or {})
    elif form == "yolo":
        from mediamill.annotations.write_yolo import yolo_files

        yield from yolo_files(categories, pictures, losses)
    else:
        from mediamill.annotations.write_voc import voc_files

        yield from voc_files(pictures, losses)


def coco_json(
    categories: Sequence[Category], pictures: Iterable[Pictured], document: Mapping[str, Any]
) -> Iterator[bytes]:
    """Yield a COCO file piece by piece; ids that are taken already are given anew."""
    named = {category.name: category for category in categories}
    images, annotations = _Ids(), _Ids()
    with tempfile.SpooledTemporaryFile(SPOOL) as later:
        yield b"{\n"
        yield from coco.members(document)
        yield b'"images":['
        comma = b"\n"
        first = True
        for picture in pictures:
            found = images.own(picture.content.extra.get("id"))
            yield comma + _image(picture, found)
            comma = b",\n"
            for one in picture.content.annotations:
                own = msgspec.structs.replace(one, id=annotations.own(one.id))
                of = named[one.category]
                record = coco.annotation_record(own, found, of.number, len(of.keypoints))
                later.write((b"\n" if first else b",\n") + msgspec.json.encode(record))
                first = False
        yield b'\n],\n"annotations":['
        later.seek(0)
        while chunk := later.read(CHUNK):
            yield chunk
        records = [coco.category_record(category) for category in categories]
        yield b'\n],\n"categories":' + msgspec.json.encode(records) + b"}\n"


def _image(picture: Pictured, found: int) -> bytes:
    content = picture.content
    record = coco.image_record(found, picture.path, content.width, content.height)
    if content.labels:
        record["labels"] = content.labels
    extra = {field: value for field, value in content.extra.items() if field not in record}
    return msgspec.json.encode(record | extra)


class _Ids:
    """Ids of COCO are whole numbers, each given once: those that were are kept."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._next = 1

    def own(self, wanted: object) -> int:
        if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted not in self._taken:
            found = wanted
        else:
            while self._next in self._taken:
                self._next += 1
            found = self._next
        self._taken.add(found)
        return found


def joined(chunks: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    """Write chunks one after the other."""
    for chunk in chunks:
        write(chunk)
