"""Sets of annotations that tests read, and the short way to read them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mediamill.annotations import formats
from mediamill.annotations.book import Book
from mediamill.annotations.checks import Annotated, checked
from mediamill.annotations.index import FileFacts, Index
from mediamill.annotations.rle import mask_of
from mediamill.annotations.tree import Folder
from mediamill.annotations.write import Losses, Pictured, written

POINTS = ["nose", "left_eye", "right_eye"]


def coco() -> dict[str, Any]:
    """Return a set with all that COCO's format can hold, and fields that it does not know."""
    blob = np.zeros((60, 80), np.uint8)
    blob[10:30, 20:50] = 1
    crowd = np.zeros((60, 80), np.uint8)
    crowd[40:, :9] = 1
    small, large = mask_of(blob), mask_of(crowd, compress=False)
    return {
        "info": {"year": 2026, "description": "a test", "contributor": "us"},
        "licenses": [{"id": 4, "name": "CC BY 2.0", "url": "http://example.org/"}],
        "origin": {"tool": "ours", "build": [1, 2]},
        "images": [
            {"id": 397133, "file_name": "b.jpg", "width": 80, "height": 60, "license": 4,
             "date_captured": "2013-11-14 17:02:52", "coco_url": "http://example.org/b.jpg"},
            {"id": 37777, "file_name": "a.jpg", "width": 64, "height": 48, "flickr_url": "x"},
            {"id": 5, "file_name": "empty.jpg", "width": 32, "height": 32},
        ],
        "annotations": [
            {"id": 82445, "image_id": 397133, "category_id": 18, "bbox": [2.5, 3.25, 40.0, 20.5],
             "segmentation": [[2.5, 3.25, 42.5, 3.25, 42.5, 23.75, 2.5, 23.75],
                              [50.0, 30.0, 60.0, 30.0, 55.0, 39.0]],
             "area": 863.5, "iscrowd": 0, "score": 0.5, "attributes": {"occluded": True}},
            {"id": 7, "image_id": 37777, "category_id": 1, "bbox": [5.0, 6.0, 20.0, 30.0],
             "segmentation": [[5.0, 6.0, 25.0, 6.0, 25.0, 36.0]], "area": 300.0, "iscrowd": 0,
             "keypoints": [10, 8, 2, 12, 9, 1, 0, 0, 0], "num_keypoints": 2},
            {"id": 900100397133, "image_id": 397133, "category_id": 18,
             "bbox": [20.0, 10.0, 30.0, 20.0], "area": 600.0, "iscrowd": 0,
             "segmentation": {"size": [60, 80], "counts": small.counts}},
            {"id": 11, "image_id": 397133, "category_id": 18, "bbox": [0.0, 40.0, 9.0, 20.0],
             "segmentation": {"size": [60, 80], "counts": list(large.counts)},
             "area": 180.0, "iscrowd": 1},
        ],
        "categories": [
            {"id": 18, "name": "dog", "supercategory": "animal", "colour_hint": "brown"},
            {"id": 1, "name": "person", "supercategory": "person", "keypoints": POINTS,
             "skeleton": [[1, 2], [1, 3]]},
        ],
    }  # fmt: skip


FILES = [
    FileFacts("file_b", "b.jpg", 80, 60),
    FileFacts("file_a", "a.jpg", 64, 48),
    FileFacts("file_e", "empty.jpg", 32, 32),
]


def read(
    where: Path, files: list[FileFacts] | None = None, form: Any = None
) -> tuple[list[Annotated], Index]:
    """Read a folder or a file; return what is right of it, and the index with what is wrong."""
    index = Index()
    index.add_files(FILES if files is None else files)
    formats.read(Folder(where), index, form, lambda part: None)
    found = list(checked(index))
    index.close()
    return found, index


def write(where: Path, form: Any, found: list[Annotated], index: Index) -> Losses:
    """Write what was read in a format, below a folder."""
    losses = Losses()
    book = Book(document=index.document).with_added(index.categories.values())
    pictures = [Pictured(one.path, one.content, one.split) for one in found]
    for path, chunks in written(form, book.categories, pictures, book.document, losses):
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        (where / path).write_bytes(b"".join(chunks))
    return losses


def stored(where: Path, document: Any) -> Path:
    """Write a document as JSON."""
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(json.dumps(document))
    return where


def codes(index: Index) -> dict[str, int]:
    """Return how often each kind of finding was made."""
    return dict(index.counts)


def plain(value: Any) -> Any:
    """Return tuples and structs as lists and objects."""
    return msgspec.to_builtins(value)


def by_id(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Return rows by their id."""
    return {row["id"]: row for row in rows}
