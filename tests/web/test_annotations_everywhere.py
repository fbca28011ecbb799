"""Annotations over every store: who draws at one moment with whom, and COCO there and back."""

import asyncio
import io
import json
import zipfile

from tests.annotations.sets import by_id, coco
from tests.support.places import everywhere
from tests.support.serving import working
from tests.web.test_annotations import added, imported, pictured


@everywhere
async def test_what_is_drawn_is_kept(mill, ann):
    """One service for both: its start is a third of all."""
    await two_editors_never_overwrite_each_other_unseen(ann, *await pictured(ann))
    async with working(mill):
        await coco_comes_and_goes_unchanged(ann, *await pictured(ann))


async def two_editors_never_overwrite_each_other_unseen(ann, here, files):
    url = f"{here}/files/{files['b.jpg']}/annotations"
    await added(ann.client, here, "dog", "cat")
    first = await ann.client.get(url)
    assert (first.json()["revision"], first.headers["etag"]) == (0, '"a0"')
    box = {"class": "dog", "box": [1, 2, 30, 40]}
    made = await ann.client.put(url, json={"annotations": [box], "labels": ["cat"]})
    assert made.status_code == 200, made.text
    assert made.headers["etag"] == '"a1"'
    assert (made.json()["width"], made.json()["height"]) == (80, 60)
    number = made.json()["annotations"][0]["id"]
    blind = await ann.client.put(url, json={"annotations": []})
    assert (blind.status_code, blind.json()["code"]) == (412, "outdated")
    assert "read them again" in blind.json()["detail"]
    one = {"if-match": made.headers["etag"]}
    moved = {**box, "id": number, "box": [5, 5, 9, 9]}
    answer = await ann.client.patch(url, json={"change": [moved]}, headers=one)
    assert answer.status_code == 200, answer.text
    late = await ann.client.put(url, json={"annotations": []}, headers=one)
    assert late.status_code == 412
    assert (await ann.client.delete(url, headers=one)).status_code == 412
    seen = (await ann.client.get(url)).json()
    assert seen["annotations"][0]["box"] == [5, 5, 9, 9]
    assert seen["labels"] == ["cat"]
    many = [ann.client.patch(url, json={"add": [box]}) for _ in range(4)]
    assert {answer.status_code for answer in await asyncio.gather(*many)} == {200}
    assert len((await ann.client.get(url)).json()["annotations"]) == 5


async def coco_comes_and_goes_unchanged(ann, here, files):
    before = coco()
    data = json.dumps(before).encode()
    dry = await imported(ann.client, here, data, dry_run=True)
    assert dry["outcome"]["stored"] is False
    assert (await ann.client.get(f"{here}/annotations")).json()["data"] == []
    task = await imported(ann.client, here, data)
    counts = {key: task["outcome"][key] for key in ("images", "annotations", "errors", "format")}
    assert counts == {"images": 3, "annotations": 4, "errors": 0, "format": "coco"}
    answer = await ann.client.get(f"{here}/annotations/export")
    assert int(answer.headers["content-length"]) == len(answer.content)
    after = answer.json()
    for name in ("images", "annotations", "categories"):
        assert by_id(after[name]) == by_id(before[name]), name
    assert all(after[name] == before[name] for name in ("info", "licenses", "origin"))
    again = await imported(ann.client, here, data)
    assert again["outcome"]["stored"] is True
    url = f"{here}/files/{files['b.jpg']}/annotations"
    assert (await ann.client.get(url)).json()["revision"] == 1, "the same again changes nothing"
    for form, member in (("yolo", "data.yaml"), ("voc", "Annotations/b.xml")):
        packed = await ann.client.get(f"{here}/annotations/export?format={form}")
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            assert archive.testzip() is None
            assert member in archive.namelist()
            lost = json.loads(archive.read("not-exported.json"))
            assert sum(lost.values()) > 0, "what it cannot hold is told"
        back = await imported(ann.client, here, packed.content, f"{form}.zip", dry_run=True)
        assert back["outcome"]["format"] == form
