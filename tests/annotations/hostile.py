"""Sets of annotations that mean harm, one defect each."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from tests.media_factory import hostile_json
from tests.security.mutator import mutants

FIRST = {"id": 1, "file_name": "a.png", "width": 64, "height": 48}
EVIL = ("../../up.png", "/etc/a.png", "C:\\a.png", "a\0b.png", "x" * 300 + ".png", "\u202egnp.png")


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def coco(**members: Any) -> bytes:
    whole = {"images": [FIRST], "categories": [{"id": 1, "name": "cat"}], "annotations": []}
    return json.dumps(whole | members).encode()


def drawn(**fields: Any) -> bytes:
    return coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1, **fields}])


def yolo(label: str, settings: str = "names: [cat]", name: str = "labels/a.txt") -> bytes:
    return zipped({name: label.encode(), "data.yaml": settings.encode()})


def voc(inside: str, head: str = "") -> bytes:
    xml = f"{head}<annotation><filename>a.png</filename>{inside}</annotation>"
    return zipped({"Annotations/a.xml": xml.encode()})


def corners(count: int) -> str:
    inside = "".join(f"<x{n}>{n % 60}</x{n}><y{n}>{n % 40}</y{n}>" for n in range(1, count + 1))
    return f"<object><name>cat</name><polygon>{inside}</polygon></object>"


def aliases(merged: str = "") -> str:
    """Return YAML whose last line holds nine to the ninth values, or merges them."""
    line = "{}: &{} {{<<: [{}]}}\n" if merged else "{}: &{} [{}]\n"
    first = "a: &a {x: 1}\n" if merged else "a: &a [x, x, x]\n"
    pairs = zip("abcdefghi", "bcdefghij", strict=True)
    return first + "".join(line.format(n, n, ",".join([f"*{p}"] * 9)) for p, n in pairs)


LAUGHS = "<!DOCTYPE a [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {n} '{f'&{p};' * 10}'>" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
)


def sets() -> Iterator[tuple[str, bytes]]:
    """Yield sets of one defect each, with the names they are uploaded under."""
    yield "deep.json", b'{"images": [], "info": ' + b'{"a":' * 100_000
    yield "deeper.json", b"[" * 1_000_000
    yield "nan.json", coco().replace(b"64", b"NaN")
    yield "infinite.json", drawn(bbox=[1, 1, 2, 2]).replace(b"[1, 1,", b"[1e999, 1,")
    yield "far.json", drawn(bbox=[1e300, 0, 1, 1])
    yield "text.json", drawn(bbox="0 0 1 1")
    yield "rle.json", drawn(segmentation={"size": [10**9, 10**9], "counts": [10**18]})
    yield "rle-negative.json", drawn(segmentation={"size": [48, 64], "counts": [-1, 3073]})
    yield "rle-many.json", drawn(segmentation={"size": [48, 64], "counts": [0] * 200_000})
    yield "rle-spelt.json", drawn(segmentation={"size": [48, 64], "counts": "o" * 200_000})
    yield "points.json", coco(categories=[{"id": 1, "name": "cat", "keypoints": 5}])
    yield "labels.json", coco(images=[FIRST | {"labels": 5}])
    yield "ids.json", coco(images=[FIRST, FIRST | {"id": 2**70}, FIRST | {"id": None}])
    yield "huge.json", coco(images=[FIRST | {"width": 10**12}])
    yield "away.json", coco(images=[{**FIRST, "id": n, "file_name": f} for n, f in enumerate(EVIL)])
    yield "notes.json", coco(info={"a": "x" * 5_000_000})
    yield "twice.json", coco()[:-1] + b', "images": 5, "info": [1], "info": {}}'
    many = [{"id": n, "name": f"class-{n}"} for n in range(20_100)]
    yield "classes.json", coco(categories=many)
    yield "aliases.zip", yolo("0 0.5 0.5 0.1 0.1", f"{aliases()}names: *j")
    yield "merges.zip", yolo("0 0.5 0.5 0.1 0.1", f"{aliases('x')}names: [cat]")
    yield "tags.zip", yolo("0 0.5 0.5 0.1 0.1", "names: !!int ''")
    yield "objects.zip", yolo("0 0.5 0.5 0.1 0.1", "names: !!python/object/apply:os.abort []")
    yield "number.zip", yolo("0 0.5 0.5 0.1 0.1", f"names: [0x{'f' * 9_000}]")
    yield "lines.zip", yolo("0 nan inf 1e400 -1\n" + "0 0.5 0.5 1 1 " * 9 + "\n" + "9" * 5_000)
    yield "up.zip", yolo("0 0.5 0.5 0.1 0.1", name="../../labels/a.txt")
    yield "bomb.zip", yolo("0" * 60_000_000)
    yield "laughs.zip", voc("&i;", f"{LAUGHS}]>")
    yield "outside.zip", voc("&e;", "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>")
    yield "nested.zip", voc("<a>" * 500 + "</a>" * 500)
    yield "corners.zip", voc(corners(20_000).replace("<x9>9", "<x9>nan"))
    yield "words.zip", voc("x<b/>" * 20_000)
    yield "empty.json", b"{}"
    yield "short.zip", zipped({"labels/a.txt": b"0 1 1 1 1"})[:-30]


def long_sets() -> Iterator[tuple[str, bytes]]:
    """Yield what takes megabytes."""
    for path in hostile_json():
        data = path.read_bytes()
        yield (
            f"{path.name}.json",
            b'{"images":[%b],"annotations":[]}' % (data if data.strip() else b","),
        )
    yield "ring.json", drawn(segmentation=[[1.5] * 2_000_002])
    yield "element.json", coco(info={"a": "x" * 33_000_000})
    yield "elements.json", coco(annotations=[5] * 2_000_000)
    yield "ring.zip", yolo("0 " + "0.5 " * 2_000_002)
    yield "rows.zip", yolo("0 0.5 0.5 0.1 0.1\n" * 100_001)
    yield "names.zip", yolo("0 0.5 0.5 0.1 0.1", "\n- c".join(["names:", *map(str, range(90_000))]))
    yield "all-corners.zip", voc(corners(90_000).replace("<x9>9", "<x9>nan"))
    yield "nodes.zip", voc("<b/>" * 200_001)
    for n, (name, data) in enumerate(mutants(drawn(bbox=[1, 1, 9, 9]), 200, 5)):
        yield f"{n}-{name}.json", data
    for n, (name, data) in enumerate(mutants(voc(corners(20)), 100, 6)):
        yield f"{n}-{name}.zip", data
