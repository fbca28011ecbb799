"""Photos that lie turned, as phones write them, are upright in every export of a version."""

import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.support.serving import working
from tests.web.one_service import ann, bob, mill, web  # noqa: F401 - fixtures
from tests.web.test_datasets import exported, frozen

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKER = (8, 56, 24, 16)
"""Left, top, width, height of what is red in the upright picture of 64 × 96 pixels."""
ORIENTATION, MAKER = 0x0112, 0x010F


def photo(shade: int) -> bytes:
    """Make a picture with a marker as a phone stores it: turned, and saying so."""
    shown = np.full((96, 64, 3), shade, np.uint8)
    left, top, width, height = MARKER
    shown[top : top + height, left : left + width] = (230, 20, 20)
    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION], exif[MAKER] = 6, "Maker"
    stored = Image.fromarray(shown).transpose(Image.Transpose.ROTATE_90)
    stored.save(file, "JPEG", quality=90, exif=exif)
    return file.getvalue()


def upright(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), shade, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def look(data: bytes) -> Image.Image:
    """Open a picture as those do who do not turn it, and find the marker in its box."""
    image = Image.open(io.BytesIO(data))
    assert image.size == (64, 96)
    pixels = np.asarray(image).astype(int)
    red = (pixels[:, :, 0] > 180) & (pixels[:, :, 1] < 90)
    rows, columns = np.nonzero(red)
    left, top, width, height = MARKER
    assert (columns.min(), rows.min()) == pytest.approx((left, top), abs=1)
    assert (columns.max() + 1, rows.max() + 1) == pytest.approx((left + width, top + height), abs=1)
    assert image.getexif().get(ORIENTATION) is None
    return image


async def uploaded(client, here, name, data):
    made = await client.post(f"/v1/files?name={name}", content=data)
    joined = await client.post(f"{here}/files", json={"files": [made.json()["id"]]})
    assert joined.json() == {"added": 1}, joined.text
    return made.json()["id"]


async def test_a_turned_photo_is_upright_in_every_export(mill, ann, bob):
    client = ann.client
    project = (await client.post("/v1/projects", json={"name": "phone"})).json()["id"]
    here = f"/v1/projects/{project}"
    await client.post(f"{here}/shares", json={"user": bob.email, "role": "editor"})
    async with working(mill):
        photos = [await uploaded(client, here, "own.jpg", photo(100)),
                  await uploaded(bob.client, here, "theirs.jpg", photo(40))]  # fmt: skip
        level = upright(77)
        await uploaded(client, here, "level.jpg", level)
        await client.post(f"{here}/classes", json={"name": "marker"})
        body = {"annotations": [{"class": "marker", "box": MARKER}]}
        for file in photos:
            put = await client.put(f"{here}/files/{file}/annotations", json=body)
            assert (put.json()["width"], put.json()["height"]) == (64, 96), put.text
        version, again = await frozen(client, project), await frozen(client, project)
        assert version["hash"] == again["hash"]
        forms = ["coco", "yolo", "voc", "files", "webdataset"]
        for form, caller in [*((form, client) for form in forms), ("coco", bob.client)]:
            url = f"{version['links']['export']}?format={form}&wait=20"
            members = unpacked((await exported(caller, url)).content, form)
            shown = {name.rpartition("/")[2]: data for name, data in members.items()}
            assert shown["level.jpg"] == level, "what lies upright is as it came"
            own, theirs = look(shown["own.jpg"]), look(shown["theirs.jpg"])
            assert own.getexif().get(MAKER) == ("Maker" if caller is client else None)
            assert theirs.getexif().get(MAKER) is None
            check_manifest(members)
            if form == "coco":
                check_coco(json.loads(members["annotations/instances.json"]))
    assert [blob async for blob in mill.blobs.list(f"versions/{project}/1/upright/")] == []


def unpacked(data: bytes, form: str) -> dict[str, bytes]:
    if form == "webdataset":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return {one.name: tar.extractfile(one).read() for one in tar}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def check_manifest(members: dict[str, bytes]) -> None:
    (name,) = [name for name in members if name.endswith("manifest.jsonl")]
    for line in map(json.loads, members[name].splitlines()):
        data = members[line["name"]]
        assert (line["size"], line["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert line["lineage"].get("turned_upright", False) is ("level" not in line["name"])


def check_coco(document: dict) -> None:
    sizes = {image["file_name"]: (image["width"], image["height"]) for image in document["images"]}
    assert sizes == {"own.jpg": (64, 96), "theirs.jpg": (64, 96), "level.jpg": (32, 32)}
    assert [tuple(one["bbox"]) for one in document["annotations"]] == [MARKER] * 2
