"""A version that was frozen long ago gives the same bytes in every release.

Nothing is decoded or encoded here, so the digests are those of every machine. One that differs
is a change that breaks exports of versions that are there: their manifests and labels would not be
those that somebody trained with, and downloads could not go on. Change them on purpose only, and
say so in the changelog.
"""

import hashlib
import io
import zlib
from types import SimpleNamespace

import msgspec
import pytest

from mediamill.annotations.model import Annotation, Category, ImageAnnotations, Rle
from mediamill.datasets.document import (
    FORMAT,
    NOTHING,
    Entry,
    Hashing,
    Header,
    Image,
    blob_of,
    entry_line,
    line,
    read_entry,
    read_header,
)
from mediamill.datasets.exporting import Wanted
from mediamill.handlers.datasets.export import Writing, blob_at, export_unit
from mediamill.media.archive import layout, tar
from mediamill.media.archive.layout import Summary, parse
from mediamill.media.archive.tar import TarSummary
from mediamill.store.repositories.datasets import DatasetVersion

GOLDEN = {
    "document": "a91b9c61383cba17aba87bf53cd1586b3f8f8aa88837738862617b4b69f72106",
    "files": "795104f0002cceba9c6bc78f0b2af50c2edb7fefbb3f8d08124466e26177ee93",
    "coco": "e26da1546c5bbc762fd5622e398ee9fde6fcd8cf53ab7b292d23bc5ad63b65bc",
    "yolo": "c931655f2dc0706841048bac65d7187e299fc25875a02bf0dcb1a950a5e6c125",
    "voc": "56f9df9abdb871ba825208752616bd4f923dc8789b5166f08fe01e998d21f66b",
    "webdataset": "b60c1e2df767d9b8142fde6bde90ec6990e118fecfb62b35ee1ae9408cf81c42",
}
POINTS = (10.0, 8.0, 2.0, 12.0, 9.5, 1.0, 0.0, 0.0, 0.0)
SHAPES = (
    Annotation(7, "dog", (2.5, 3.25, 40.0, 20.5), area=820.0, extra={"score": 0.5, "by": "Zoë"}),
    Annotation("x", "dog", polygons=((5.0, 6.0, 25.0, 6.0, 25.0, 36.125),)),
    Annotation(9, "person", keypoints=POINTS),
    Annotation(10, "dog", mask=Rle(4, 3, (5, 2, 5)), crowd=True),
)
HEADER = Header(
    FORMAT,
    (
        Category(18, "dog", "animal", colour="#00ff00", extra={"note": [1, 2]}),
        Category(1, "person", keypoints=("nose", "left_eye", "right_eye"), skeleton=((1, 2),),
                 pairs=((1, 2),)),
    ),
    {"info": {"year": 2026, "description": "a test"}, "licenses": []},
    [{"operation": "augment", "parameters": {"copies": 2, "methods": ["rotate"]}}],
    7,
    ["original"],
)  # fmt: skip
VERSION = DatasetVersion(project="proj_0", number=3, owner="u", user="u", hash="5" * 64, created=0)


def entry(place: int, path: str, split: str, content: ImageAnnotations | None, **lineage) -> Entry:
    """Describe a picture of 64 × 48 pixels, whose bytes nobody looks at."""
    data = picture(place)
    marked = NOTHING if content is None else msgspec.Raw(content.encode())
    image = Image(
        path, "image/png", len(data), hashlib.sha256(data).hexdigest(), 64, 48, "original",
        split, place % 2, marked,
    )  # fmt: skip
    crc32 = zlib.crc32(data)
    return Entry(image, f"file_{place}", f"file_{place}", "", place == 2, crc32, lineage)


def picture(place: int) -> bytes:
    return b"the bytes of picture %d" % place * (place + 1)


ENTRIES = (
    entry(0, "b.png", "train", ImageAnnotations(64, 48, SHAPES, extra={"id": 5, "license": 4})),
    entry(1, "a (2).png", "validation", ImageAnnotations(64, 48, labels=("dog",))),
    entry(2, "größe.png", "", None, steps=[{"operation": "flip"}], source="d/größe.png"),
)


def test_the_document_of_a_version_is_what_it_was() -> None:
    """And its lines, read by this release, are written as they were."""
    hashing = Hashing()
    hashing.add(line(read_header(line(HEADER))))
    for one in ENTRIES:
        hashing.add(line(read_entry(entry_line(one)).image))
    assert hashing.hash == GOLDEN["document"]


@pytest.mark.parametrize("form", ["files", "coco", "yolo", "voc", "webdataset"])
async def test_an_export_of_a_version_is_what_it_was(tmp_path, form) -> None:
    wanted, there = Wanted(form), bytearray(b"\1" * len(ENTRIES))
    lease = SimpleNamespace(unit=export_unit(VERSION, wanted, 0), progress=0.0)
    content, files = io.BytesIO(), io.BytesIO()
    listed = (tmp_path / "entries").open("w+b", buffering=0)
    with listed:
        listed.write(b"".join([line(HEADER), *map(entry_line, ENTRIES)]))
        writing = Writing(VERSION, wanted, lease, there)
        assert writing.write(listed.fileno(), content, files) == len(ENTRIES)
    held = {
        blob_of(VERSION.root, n, results=one.results): picture(n) for n, one in enumerate(ENTRIES)
    }
    held[f"{blob_at(VERSION.root, wanted, 0)}-content"] = content.getvalue()
    summary = TarSummary() if form == "webdataset" else Summary()
    lines = [summary.add(parse(each)) for each in files]

    async def members():
        for each in lines:
            yield parse(each)

    async def read(key, start, stop):
        yield held[key][start:stop]

    packed = (tar if form == "webdataset" else layout).stream(members, read, 0, summary.size)
    data = b"".join([chunk async for chunk in packed])
    assert len(data) == summary.size
    assert hashlib.sha256(data).hexdigest() == GOLDEN[form]
