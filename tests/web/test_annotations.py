"""Annotations over HTTP: drawn by several, taken back, classes, imports with checks, exports."""

import asyncio
import io
import json
import re
import struct
import zipfile
import zlib

import pytest
import pytest_asyncio

from mediamill.annotations import book
from mediamill.core.clock import DAY, SystemClock
from mediamill.core.errors import ConditionFailed, InvalidInput
from mediamill.handlers.datasets import annotate
from mediamill.handlers.removing.collect import Collect
from mediamill.services.annotations import service as annotation_service
from mediamill.services.annotations.transfers import Naming
from mediamill.services.projects import members as member_service
from mediamill.store.repositories.annotation_rows import AnnotationHistory, FileAnnotations
from tests.annotations.sets import by_id, coco
from tests.faults import charges
from tests.support.quotas import limit
from tests.support.serving import working
from tests.web.one_service import ONCE, ann, bob, mill, web  # noqa: F401 - fixtures

pytestmark = pytest.mark.asyncio(loop_scope="module")


def png(width: int, height: int, shade: int = 0) -> bytes:
    """Make a picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes([shade]) * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest_asyncio.fixture(**ONCE)
async def worker(mill):
    async with working(mill):
        yield


@pytest_asyncio.fixture(loop_scope="module")
async def project(ann):
    return await pictured(ann)


async def pictured(ann):
    """Make three pictures as `coco()` names them; return the project's address and their ids."""
    files = {}
    for name, size in (("b.jpg", (80, 60)), ("a.jpg", (64, 48)), ("empty.jpg", (32, 32))):
        made = await ann.client.post(f"/v1/files?name={name}", content=png(*size))
        files[name] = made.json()["id"]
    made = (await ann.client.post("/v1/projects", json={"name": "set"})).json()["id"]
    await ann.client.post(f"/v1/projects/{made}/files", json={"files": list(files.values())})
    return f"/v1/projects/{made}", files


async def added(client, here, *names):
    for name in names:
        answer = await client.post(f"{here}/classes", json={"name": name})
        assert answer.status_code == 201, answer.text


async def imported(client, here, data, name="instances.json", **options):
    file = (await client.post(f"/v1/files?name={name}", content=data)).json()["id"]
    body = {"file": file, **options}
    answer = await client.post(f"{here}/annotations/import", json=body)
    assert answer.status_code == 202, answer.text
    task = (await client.get(answer.headers["location"] + "?wait=20")).json()
    assert task["state"] == "succeeded", task
    return task


async def test_changes_are_taken_back_one_by_one(ann, project):
    here, files = project
    url = f"{here}/files/{files['b.jpg']}/annotations"
    await added(ann.client, here, "dog")
    ring = [0.5, 0.5] + [float(n % 50) for n in range(2_000)]
    large = {"class": "dog", "polygons": [ring]}  # more than a row holds
    for n, body in enumerate([{"class": "dog", "box": [1, 1, 5, 5]}, large, large]):
        put = await ann.client.put(
            url, json={"annotations": [{**body, "id": n}]}, headers={"if-match": "*"}
        )
        assert put.json()["undo"] == n
    gone = await ann.client.delete(url, headers={"if-match": "*"})
    assert (gone.json()["annotations"], gone.json()["undo"]) == ([], 3)
    for left, number in ((2, 2), (1, 1), (0, 0)):
        back = (await ann.client.post(f"{url}/undo")).json()
        assert (back["undo"], back["annotations"][0]["id"]) == (left, number)
    assert (await ann.client.post(f"{url}/undo")).status_code == 409
    assert (await ann.client.get(url)).json()["annotations"][0]["box"] == [1, 1, 5, 5]


REFUSED = [
    ({"class": "fox", "box": [1, 1, 2, 2]}, "annotations.0.class"),
    ({"class": "dog", "box": [1, 1, 0, 2]}, "annotations.0"),
    ({"class": "dog", "box": [100, 1, 5, 2]}, "annotations.0"),
    ({"class": "dog", "mask": {"height": 6, "width": 8, "counts": [48]}}, "annotations.0"),
    ({"class": "dog", "keypoints": [1, 2]}, "annotations.0"),
    ({"class": "dog", "box": [1, 1, 2]}, "annotations.0.box"),
]


async def test_what_cannot_be_is_refused_with_its_place(ann, project):
    here, files = project
    await added(ann.client, here, "dog")
    url = f"{here}/files/{files['b.jpg']}/annotations"
    for one, pointer in REFUSED:
        answer = await ann.client.put(url, json={"annotations": [one]})
        assert answer.status_code == 422, (one, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer, one
    other = f"{here}/files/file_none/annotations"
    assert (await ann.client.get(other)).status_code == 404


async def test_classes_are_renamed_merged_and_removed_everywhere(ann, project):
    here, files = project
    await added(ann.client, here, "dog", "hound", "cat")
    again = await ann.client.post(f"{here}/classes", json={"name": "dog"})
    assert again.status_code == 409
    for name, drawn in (("b.jpg", ["dog", "hound"]), ("a.jpg", ["cat"])):
        body = {"annotations": [{"class": one, "box": [1, 1, 5, 5]} for one in drawn]}
        put = await ann.client.put(f"{here}/files/{files[name]}/annotations", json=body)
        assert put.status_code == 200

    async def state():
        rows = (await ann.client.get(f"{here}/annotations")).json()["data"]
        return {row["name"]: [one["class"] for one in row["annotations"]] for row in rows}

    numbers = {
        one["name"]: one["number"]
        for one in (await ann.client.get(f"{here}/classes")).json()["data"]
    }
    url = f"{here}/classes/{numbers['dog']}"
    renamed = await ann.client.patch(url, json={"name": "Dog", "colour": "#00ff00"})
    assert (renamed.json()["name"], renamed.json()["colour"]) == ("Dog", "#00ff00")
    taken = await ann.client.patch(url, json={"name": "cat"})
    assert taken.status_code == 422
    hound = f"{here}/classes/{numbers['hound']}"
    merged = await ann.client.post(f"{hound}/merge", json={"into": numbers["dog"]})
    assert merged.json()["name"] == "Dog"
    assert await state() == {"b.jpg": ["Dog", "Dog"], "a.jpg": ["cat"]}
    counted = (await ann.client.get(f"{here}/classes?counts=true")).json()
    uses = {one["name"]: (one["files"], one["annotations"]) for one in counted["data"]}
    assert uses == {"Dog": (1, 2), "cat": (1, 1)}
    found = (await ann.client.get(f"{here}/annotations?class=Dog")).json()["data"]
    assert [row["name"] for row in found] == ["b.jpg"]
    assert (await ann.client.delete(f"{here}/classes/{numbers['cat']}")).status_code == 204
    assert await state() == {"b.jpg": ["Dog", "Dog"]}
    assert (await ann.client.delete(f"{here}/classes/{numbers['cat']}")).status_code == 404


async def test_nothing_is_stored_while_there_are_errors(ann, bob, project, worker):
    here, _ = project
    broken = coco()
    broken["annotations"][0]["image_id"] = 99
    broken["annotations"][1]["bbox"] = [0, 0, -3, 5]
    data = json.dumps(broken).encode()
    task = await imported(ann.client, here, data)
    assert task["outcome"]["stored"] is False
    assert task["outcome"]["findings"] == {"orphan": 1, "wrong_box": 1}
    assert (await ann.client.get(f"{here}/annotations")).json()["data"] == []
    assert (await ann.client.get(f"{here}/classes")).json()["data"] == []
    url = f"{here}/annotations/imports/{task['id']}/findings"
    page = (await ann.client.get(f"{url}?limit=1")).json()
    assert page["data"][0]["place"] == "annotations[0]"
    rest = (await ann.client.get(f"{url}?limit=1&after={page['after']}")).json()
    assert [one["code"] for one in rest["data"]] == ["wrong_box"]
    assert rest["has_more"] is False
    assert (await ann.client.get(f"{url}?after=x")).status_code == 422
    assert (await bob.client.get(url)).status_code == 404
    skipped = await imported(ann.client, here, data, skip_invalid=True)
    assert skipped["outcome"]["stored"] is True
    drawn = (await ann.client.get(f"{here}/annotations")).json()["data"]
    assert sum(len(one["annotations"]) for one in drawn) == 2
    nonsense = (await ann.client.post("/v1/files?name=x.json", content=b"[1]")).json()["id"]
    begun = await ann.client.post(f"{here}/annotations/import", json={"file": nonsense})
    failed = (await ann.client.get(begun.headers["location"] + "?wait=20")).json()
    assert (failed["state"], failed["code"]) == ("failed", "broken_media")
    assert "x.json" in failed["error"]


async def test_yolo_and_voc_come_as_zips(ann, project, worker):
    here, files = project
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.yaml", "names: [cat]")
        archive.writestr("train/labels/b.txt", "0 0.5 0.5 0.25 0.5\n")
    task = await imported(ann.client, here, made.getvalue(), "labels.zip")
    assert task["outcome"]["format"] == "yolo"
    drawn = (await ann.client.get(f"{here}/files/{files['b.jpg']}/annotations")).json()
    assert drawn["annotations"][0]["box"] == [30, 15, 20, 30]


async def test_what_is_purged_takes_its_annotations(mill, ann, project, worker):
    here, files = project
    await added(ann.client, here, "dog")
    ring = [float(n % 50) for n in range(4_000)]
    for name in ("a.jpg", "b.jpg"):
        body = {"annotations": [{"class": "dog", "polygons": [ring]}]}
        url = f"{here}/files/{files[name]}/annotations"
        for _ in range(2):
            put = await ann.client.put(url, json=body, headers={"if-match": "*"})
            assert put.status_code == 200, put.text

    assert len(await left(mill, here)) == 4
    await ann.client.delete(f"/v1/files/{files['a.jpg']}?now=true")
    await until(lambda: left(mill, here), 2)
    rows = mill.repositories.annotations
    project_id = here.rpartition("/")[2]
    assert set(await rows.rows(project_id, list(files.values()))) == {files["b.jpg"]}
    await ann.client.delete(f"{here}?now=true")
    await until(lambda: left(mill, here), 0)
    async with asyncio.timeout(60):
        while (await rows.book(project_id)).revision:  # which goes last
            await asyncio.sleep(0.05)
    assert await rows.rows(project_id, list(files.values())) == {}


async def until(look, count):
    async with asyncio.timeout(60):
        while len(await look()) != count:
            await asyncio.sleep(0.1)


async def test_an_import_that_was_cut_goes_on_with_what_was_checked(
    ann, project, worker, monkeypatch
):
    here, _ = project
    monkeypatch.setattr(annotate, "AT_ONCE", 1)
    real, calls, checks = annotate.bring, [], []
    check = annotate.Annotate._check

    async def cut(annotations, project_id, contents, *rest, **options):
        calls.append(sorted(contents))
        if len(calls) == 2:
            raise OSError("the machine went away")
        return await real(annotations, project_id, contents, *rest, **options)

    async def counted(self, work):
        checks.append(work.task.id)
        return await check(self, work)

    monkeypatch.setattr(annotate, "bring", cut)
    monkeypatch.setattr(annotate.Annotate, "_check", counted)
    task = await imported(ann.client, here, json.dumps(coco()).encode())
    assert task["outcome"]["stored"] is True
    assert len(checks) == 1, "it is not read and checked again"
    assert len(calls) > 3
    assert by_id(
        (await ann.client.get(f"{here}/annotations/export")).json()["annotations"]
    ) == by_id(coco()["annotations"])
    revisions = {
        row["name"]: row["revision"]
        for row in (await ann.client.get(f"{here}/annotations")).json()["data"]
    }
    assert revisions == {"a.jpg": 1, "b.jpg": 1}


async def test_what_is_drawn_after_an_import_was_asked_for_stays(ann, project, worker, monkeypatch):
    """Also where it is cut and begins anew: the first file was stored, and corrected."""
    here, _ = project
    monkeypatch.setattr(annotate, "AT_ONCE", 1)
    real, cuts = annotate.bring, []

    async def cut(annotations, project_id, contents, *rest, **options):
        left = await real(annotations, project_id, contents, *rest, **options)
        if not cuts:
            (file,) = contents
            url = f"{here}/files/{file}/annotations"
            cuts.append(url)
            put = await ann.client.put(url, json={"annotations": []}, headers={"if-match": "*"})
            assert put.status_code == 200, put.text
            raise OSError("the machine went away")
        return left

    monkeypatch.setattr(annotate, "bring", cut)
    task = await imported(ann.client, here, json.dumps(coco()).encode())
    assert (await ann.client.get(cuts[0])).json()["annotations"] == []
    assert task["outcome"]["drawn_since"] == 1
    again = await imported(ann.client, here, json.dumps(coco()).encode())
    assert again["outcome"]["drawn_since"] == 0
    assert (await ann.client.get(cuts[0])).json()["annotations"]


@pytest.mark.parametrize("form", ["coco", "yolo", "voc"])
async def test_files_of_one_name_in_folders_come_back_to_their_own(ann, worker, form):
    """They are exported with the folders by which an import tells them apart."""
    client, sides = ann.client, {"c1": 20.0, "c2": 40.0}
    project = (await client.post("/v1/projects", json={"name": "twins"})).json()["id"]
    here = f"/v1/projects/{project}"
    await added(client, here, "dog")
    files = {}
    for folder, side in sides.items():
        made = await client.post(f"/v1/files?name=img.png&tags=folder:set/{folder}",
                                 content=png(80, 60))  # fmt: skip
        files[folder] = made.json()["id"]
        assert made.json()["tags"] == [f"folder:set/{folder}"]
        await client.post(f"{here}/files", json={"files": [files[folder]]})
        body = {"annotations": [{"class": "dog", "box": [4, 8, side, 16]}]}
        await client.put(f"{here}/files/{files[folder]}/annotations", json=body)
    out = await client.get(f"{here}/annotations/export?format={form}")
    if form == "coco":
        names = {image["file_name"] for image in out.json()["images"]}
        assert names == {"set/c1/img.png", "set/c2/img.png"}
    for file in files.values():
        put = await client.put(f"{here}/files/{file}/annotations", json={"annotations": []},
                               headers={"if-match": "*"})  # fmt: skip
        assert put.status_code == 200
    name = "instances.json" if form == "coco" else f"{form}.zip"
    task = await imported(client, here, out.content, name)
    assert task["outcome"]["findings"] == {}, task
    for folder, side in sides.items():
        drawn = (await client.get(f"{here}/files/{files[folder]}/annotations")).json()
        (one,) = drawn["annotations"]
        assert one["box"] == pytest.approx([4, 8, side, 16], abs=1e-5)


async def test_labels_of_pictures_that_differ_in_their_ending_are_told_apart(ann, worker):
    """Within a split: YOLO's are called after the picture without it; VOC's say their picture."""
    client = ann.client
    project = (await client.post("/v1/projects", json={"name": "endings"})).json()["id"]
    here, ids = f"/v1/projects/{project}", []
    for n, name in enumerate(("a.jpg", "a.png")):
        made = await client.post(f"/v1/files?name={name}", content=png(80, 60 + n))
        ids.append(made.json()["id"])
    await client.post(f"{here}/files", json={"files": ids})
    exported = {}
    for form in ("yolo", "voc"):
        out = await client.get(f"{here}/annotations/export?format={form}")
        with zipfile.ZipFile(io.BytesIO(out.content)) as archive:
            exported[form] = {name: archive.read(name) for name in archive.namelist()}
    assert exported["yolo"].keys() == {
        "data.yaml", "labels/train/a.txt", "labels/train/a (2).txt", "renamed.json",
    }  # fmt: skip
    assert json.loads(exported["yolo"]["renamed.json"]) == {"train/a (2).png": "a.png"}
    said = {re.search(b"<filename>(.*)</filename>", text)[1] for text in exported["voc"].values()}
    assert said == {b"a.jpg", b"a.png"}
    naming, pictures = Naming("yolo"), (("a.jpg", ""), ("a.png", "test"), ("b/a.webp", "train"))
    assert [naming.claim(*one) for one in pictures] == [path for path, _ in pictures]
    naming = Naming("yolo")  # two splits rename alike, and a third has that name by itself
    for split, ending in (("train", "png"), ("validation", "webp")):
        naming.claim("c.jpg", split)
        naming.claim(f"c.{ending}", split)
    naming.claim("c (2).png", "test")
    assert naming.renamed == {"train/c (2).png": "c.png", "val/c (2).webp": "c.webp"}


async def test_key_points_come_to_a_class_that_is_there(ann, project, worker):
    """Of an import; what both say differently is told, and the project's stays."""
    here, files = project
    body = {"name": "person", "supercategory": "being"}
    assert (await ann.client.post(f"{here}/classes", json=body)).status_code == 201
    person = {"id": 1, "name": "person", "supercategory": "animal",
              "keypoints": ["left_eye", "right_eye"], "skeleton": [[1, 2]]}  # fmt: skip
    image = {"id": 1, "file_name": "b.jpg", "width": 80, "height": 60}
    drawn = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81,
             "keypoints": [2, 2, 2, 4, 4, 2], "num_keypoints": 2}  # fmt: skip
    data = json.dumps({"images": [image], "annotations": [drawn], "categories": [person]}).encode()
    task = await imported(ann.client, here, data)
    assert task["outcome"]["findings"] == {"class_differs": 1}, task
    out = (await ann.client.get(f"{here}/annotations/export")).json()
    assert out["categories"] == [{**person, "supercategory": "being"}]
    (known,) = (await ann.client.get(f"{here}/classes")).json()["data"]
    assert known["name"] == "person"
    # fewer key points than are drawn: the rest of the file can be changed all the same
    place = f"{here}/classes/{known['number']}"
    changed = await ann.client.patch(place, json={"keypoints": ["nose"]})
    assert changed.status_code == 200, changed.text
    url = f"{here}/files/{files['b.jpg']}/annotations"
    more = {"class": "person", "box": [3, 3, 9, 9]}
    answer = await ann.client.patch(url, json={"add": [more]})
    assert answer.status_code == 200, answer.text
    wrong = {**more, "keypoints": [2, 2, 2, 4, 4, 2]}
    assert (await ann.client.patch(url, json={"add": [wrong]})).status_code == 422


async def test_an_undo_beside_a_reader_and_the_collector(mill, ann, project, monkeypatch):
    """The blob that was read about is gone, and what was earlier is drawn again."""
    here, files = project
    await added(ann.client, here, "dog")
    url, name = f"{here}/files/{files['b.jpg']}/annotations", here.rpartition("/")[2]

    async def drawn(*counts):
        for count in counts:
            ring = [float(n % 50) for n in range(count)]
            body = {"annotations": [{"class": "dog", "polygons": [ring]}]}
            put = await ann.client.put(url, json=body, headers={"if-match": "*"})
            assert put.status_code == 200, put.text

    await drawn(4_000, 6_000)
    rows = mill.repositories.annotations
    row = (await rows.rows(name, [files["b.jpg"]]))[files["b.jpg"]]
    await ann.client.post(f"{url}/undo")
    (one,) = (await rows.stored(row)).annotations
    assert len(one.polygons[0]) == 4_000

    await drawn(6_000)
    real, undone = type(mill.store).query, []

    async def query(self, kind, *args, **options):
        if kind is AnnotationHistory and not undone:
            undone.append(await ann.client.post(f"{url}/undo"))
        return await real(self, kind, *args, **options)

    monkeypatch.setattr(type(mill.store), "query", query)
    stores = mill.parts.blob_stores()
    await Collect(mill.store, stores, SystemClock(), grace_ms=-10_000).collect(mill.blobs)
    assert undone[0].status_code == 200
    assert len((await ann.client.get(url)).json()["annotations"][0]["polygons"][0]) == 4_000


async def test_an_undo_beside_an_undo(mill, ann, project):
    """Who read the row before another's undo is told that it has changed, not that it is lost."""
    here, files = project
    await added(ann.client, here, "dog")
    file, name = files["b.jpg"], here.rpartition("/")[2]
    url, rows = f"{here}/files/{file}/annotations", mill.repositories.annotations
    for n in range(1, 4):
        body = {"annotations": [{"class": "dog", "polygons": [[float(n)] * 4_000]}]}
        put = await ann.client.put(url, json=body, headers={"if-match": "*"})
        assert put.status_code == 200, put.text
    row = (await rows.rows(name, [file]))[file]
    both = [rows.undo(row, "user_ann", row.changed) for _ in range(2)]
    back, late = await asyncio.gather(*both, return_exceptions=True)
    assert {type(back), type(late)} == {FileAnnotations, ConditionFailed}
    with pytest.raises(ConditionFailed):
        await rows.undo(row, "user_ann", row.changed)
    with pytest.raises(ConditionFailed):
        await rows.take_back(row, "user_ann", row.changed)
    now = (await ann.client.get(url)).json()
    assert (now["undo"], now["annotations"][0]["polygons"][0][0]) == (1, 2.0)
    assert charges.usage(mill) == []


async def test_what_classes_take_is_bounded(ann, project, monkeypatch):
    here, _ = project
    monkeypatch.setattr(book, "MAX_BYTES", 1_000)
    await added(ann.client, here, "dog")
    large = {"name": "cat", "keypoints": ["x" * 200] * 5}
    refused = await ann.client.post(f"{here}/classes", json=large)
    assert refused.status_code == 422, refused.text
    assert "may take 1,000 bytes" in refused.json()["detail"]
    names = [one["name"] for one in (await ann.client.get(f"{here}/classes")).json()["data"]]
    assert names == ["dog"]


async def undone(client, task):
    answer = await client.post(task["links"]["undo"])
    assert answer.status_code == 202, answer.text
    ended = (await client.get(answer.json()["links"]["self"] + "?wait=20")).json()
    assert ended["state"] == "succeeded", ended
    return ended["outcome"]


async def seen(client, here):
    rows = (await client.get(f"{here}/annotations")).json()["data"]
    return {row["name"]: len(row["annotations"]) for row in rows}


async def test_an_import_is_taken_back_but_for_what_was_drawn_since(ann, project, worker):
    here, files = project
    await added(ann.client, here, "dog")
    b, a = (f"{here}/files/{files[name]}/annotations" for name in ("b.jpg", "a.jpg"))
    box = {"class": "dog", "box": [1, 1, 5, 5]}
    await ann.client.put(b, json={"annotations": [box]})
    before = await seen(ann.client, here)
    first = await imported(ann.client, here, json.dumps(coco()).encode())
    assert (await seen(ann.client, here)) != before
    assert (await undone(ann.client, first))["restored"] == 3
    assert await seen(ann.client, here) == before == {"b.jpg": 1}
    again = await imported(ann.client, here, json.dumps(coco()).encode())
    assert (await undone(ann.client, first))["restored"] == 0, "that is another import's"
    await ann.client.patch(a, json={"add": [box]})
    drawn = await seen(ann.client, here)
    assert (await undone(ann.client, again))["restored"] == 2
    assert await seen(ann.client, here) == {"b.jpg": 1, "a.jpg": drawn["a.jpg"]}
    url = f"{here}/files/{files['empty.jpg']}/annotations"
    assert (await ann.client.get(url)).json()["revision"] == 4, "it never goes back"


async def test_what_fails_on_the_way_leaves_nothing(mill, ann, project, worker, monkeypatch):
    """The second half cannot be stored: the first is taken back, and so are the splits."""
    here, _ = project
    monkeypatch.setattr(annotate, "AT_ONCE", 1)
    real, calls = annotate.bring, []

    async def full(annotations, project_id, contents, *rest, **options):
        calls.append(contents)
        if len(calls) == 2:
            raise InvalidInput("No.")
        return await real(annotations, project_id, contents, *rest, **options)

    monkeypatch.setattr(annotate, "bring", full)
    data = json.dumps(coco()).encode()
    file = (await ann.client.post("/v1/files?name=train.json", content=data)).json()["id"]
    body = {"file": file, "apply_splits": True}
    begun = await ann.client.post(f"{here}/annotations/import", json=body)
    task = (await ann.client.get(begun.headers["location"] + "?wait=20")).json()
    assert (task["state"], task["code"]) == ("failed", "invalid_input"), task
    assert len(calls) == 2
    assert await seen(ann.client, here) == {}
    members = (await ann.client.get(f"{here}/files")).json()["data"]
    assert {row["split"] for row in members} == {""}
    assert charges.usage(mill) == []


async def test_bytes_of_annotations_count_until_they_go(mill, ann, project, worker):
    here, files = project
    await added(ann.client, here, "dog")
    ring = [float(n % 50) for n in range(4_000)]
    big = {"annotations": [{"class": "dog", "polygons": [ring]}]}
    url = f"{here}/files/{files['b.jpg']}/annotations"

    async def used():
        assert charges.usage(mill) == []
        return (await ann.client.get("/v1/usage")).json()["bytes"]

    before = await used()
    limit(mill, bytes=before + 1_000)
    refused = await ann.client.put(url, json=big)
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert await left(mill, here) == []
    limit(mill)
    for _ in range(23):  # the history holds 20
        await ann.client.put(url, json=big, headers={"if-match": "*"})
    one = (await used() - before) // 21
    assert one > 8_000
    await ann.client.post(f"{url}/undo")
    assert before + 19 * one < await used() <= before + 20 * (one + 1)
    gone = await ann.client.delete(f"{here}/files/{files['b.jpg']}")
    assert gone.is_success, gone.text
    assert await used() == before
    assert await left(mill, here) == []
    await ann.client.post(f"{here}/files", json={"files": [files["b.jpg"]]})
    assert (await ann.client.get(url)).json()["revision"] == 0
    await ann.client.put(url, json=big)
    await ann.client.delete(f"/v1/files/{files['b.jpg']}?now=true")
    await until(lambda: left(mill, here), 0)
    async with asyncio.timeout(60):
        while await used() >= before:  # the file's own are the last to go
            await asyncio.sleep(0.05)


async def left(mill, here):
    """Return the keys of all blobs of a project's annotations."""
    return [blob.key async for blob in mill.blobs.list(f"annotations/{here.rpartition('/')[2]}/")]


async def test_the_collector_takes_what_no_row_of_annotations_names(mill, ann, project, worker):
    here, files = project
    await added(ann.client, here, "dog")
    ring = [float(n % 50) for n in range(4_000)]
    url = f"{here}/files/{files['b.jpg']}/annotations"
    for _ in range(2):
        big = {"annotations": [{"class": "dog", "polygons": [ring]}]}
        await ann.client.put(url, json=big, headers={"if-match": "*"})
    task = await imported(ann.client, here, b'{"images": [], "annotations": [], "categories": []}')
    name = here.rpartition("/")[2]
    kept = sorted(await left(mill, here))
    assert len([key for key in kept if "/imports/" in key]) == 3
    orphans = [f"annotations/{name}/{place}/notes_lost" for place in (files["b.jpg"], "book")]
    orphans += [f"annotations/proj_gone/{files['b.jpg']}/notes_1",
                "annotations/proj_gone/imports/task_1/book"]  # fmt: skip
    for key in orphans:
        await mill.blobs.put(key, b"nobody's")
    stores = mill.parts.blob_stores()
    await Collect(mill.store, stores, SystemClock(), grace_ms=-10_000).collect(mill.blobs)
    assert sorted(await left(mill, here)) == kept
    assert await left(mill, "/proj_gone") == []
    findings = f"{here}/annotations/imports/{task['id']}/findings"
    assert (await ann.client.get(findings)).status_code == 200
    later = Collect(mill.store, stores, SystemClock(), grace_ms=-DAY - 10_000)
    await later.collect(mill.blobs)
    assert not [key for key in await left(mill, here) if "/imports/" in key]
    told = await ann.client.get(findings)
    assert (told.status_code, "stay a day" in told.text) == (404, True)


@pytest.mark.parametrize("layout", ["lists", pytest.param("folders", marks=pytest.mark.soak)])
async def test_splits_in_a_set_are_applied_when_asked(ann, project, worker, layout):
    here, _ = project
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("data.yaml", "names: [cat]")
        for name, folder in (("b", "train"), ("a", "valid"), ("empty", "test")):
            place = f"{folder}/labels/{name}.txt" if layout == "folders" else f"labels/{name}.txt"
            archive.writestr(place, "0 0.5 0.5 0.25 0.5\n")
            if layout == "lists":
                archive.writestr(f"{folder}.txt", f"./data/images/{name}.jpg\n")

    async def splits():
        members = (await ann.client.get(f"{here}/files")).json()["data"]
        return {row["name"]: row["split"] for row in members}

    plain = await imported(ann.client, here, made.getvalue(), "labels.zip")
    assert "moved" not in plain["outcome"]
    assert set((await splits()).values()) == {""}
    options = {"apply_splits": True}
    task = await imported(ann.client, here, made.getvalue(), "labels.zip", **options)
    assert task["outcome"]["moved"] == 3
    assert await splits() == {"b.jpg": "train", "a.jpg": "validation", "empty.jpg": "test"}
    assert (await undone(ann.client, task))["moved"] == 3
    assert set((await splits()).values()) == {""}
    assert await seen(ann.client, here) == {"b.jpg": 1, "a.jpg": 1, "empty.jpg": 1}, "as before"


async def test_a_page_of_a_class_may_be_empty_but_the_last_has_no_next(ann, project, monkeypatch):
    monkeypatch.setattr(annotation_service, "PAGES_LOOKED_AT", 1)
    monkeypatch.setattr(member_service, "PAGES_LOOKED_AT", 1)
    here, files = project
    await added(ann.client, here, "dog", "cat")
    last = max(files.values())
    for file in files.values():
        name = "cat" if file == last else "dog"
        body = {"annotations": [{"class": name, "box": [1, 1, 5, 5]}]}
        await ann.client.put(f"{here}/files/{file}/annotations", json=body)
    for place, key in (("annotations", "file"), ("files", "id")):
        found, after, pages = [], "", 0
        while after is not None:
            more = f"&after={after}" if after else ""
            url = f"{here}/{place}?class=cat&limit=1{more}"
            page = (await ann.client.get(url)).json()
            found += [row[key] for row in page["data"]]
            after, pages = page["after"], pages + 1
            assert page["has_more"] is (after is not None)
        assert found == [last]
        assert pages == 3
