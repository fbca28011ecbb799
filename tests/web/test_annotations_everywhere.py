"""Annotations over every store: who draws at one moment with whom, and COCO there and back."""

import asyncio
import io
import json
import zipfile

import pytest

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
    packed = {
        form: (await ann.client.get(f"{here}/annotations/export?format={form}")).content
        for form in LOST
    }
    for form, content in packed.items():
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            lost = json.loads(archive.read("not-exported.json"))
        assert lost == LOST[form], "what it cannot hold is told"
        back = await imported(ann.client, here, content, f"{form}.zip")
        told = {key: back["outcome"][key] for key in ("format", "images", "annotations", "errors")}
        assert told == {"format": form, "images": 3, "annotations": 3, "errors": 0}
        assert back["outcome"]["findings"] == {}
        for name, file in files.items():
            drawn = (await ann.client.get(f"{here}/files/{file}/annotations")).json()
            seen = [(one["class"], *one["box"]) for one in drawn["annotations"]]
            near = [(kind, *map(pytest.approx, box)) for kind, *box in boxes(form, name)]
            assert seen == near, (form, name)
            assert not any(one["mask"] or one["keypoints"] for one in drawn["annotations"])


LOST = {
    "yolo": {"crowd": 1, "keypoints": 1, "mask": 1},
    "voc": {"crowd": 1, "keypoints": 1, "mask": 1},
}


def boxes(form, name):
    """Return classes and boxes (px) of a picture as they come back: YOLO joins parts."""
    two = (2.5, 3.25, 57.5, 35.75) if form == "yolo" else (2.5, 3.25, 40, 20.5)
    dogs = [("dog", *two), ("dog", 20, 10, 30, 20)]
    known = {"b.jpg": dogs, "a.jpg": [("person", 5, 6, 20, 30)]}
    return known.get(name, [])
