"""Projects as datasets over HTTP: members, splits, undo, frozen versions and their exports."""

import asyncio
import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections import Counter

import cv2
import numpy as np
import pytest
import pytest_asyncio

from mediamill.handlers.datasets import moving
from mediamill.handlers.datasets.split import SplitMembers
from mediamill.handlers.files import thumbnails
from mediamill.store.port import Put, Update
from mediamill.store.repositories.projects import member
from mediamill.store.repositories.units import Unit
from tests.support.serving import working
from tests.web.one_service import ann, bob, mill, web  # noqa: F401 - fixtures

pytestmark = pytest.mark.asyncio(loop_scope="module")


def png(number: int, size: int = 8) -> bytes:
    """Make a small picture that no other number has, up to 65,536."""
    high, low = divmod(number, 256)
    rows = b"".join(
        b"\0" + bytes((low * 37 + high * (y + 1) + x * 5 + y * 3) % 256 for x in range(3 * size))
        for y in range(size)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest_asyncio.fixture(loop_scope="module")
async def worker(mill):
    """One for each test, over slots that are there for all."""
    async with working(mill):
        yield


async def filled(client, count=12, name="set"):
    """Make a project of so many pictures; return its id and theirs."""
    files = []
    for n in range(count):
        made = await client.post(f"/v1/files?name=plant{n // 3}_{n:02}.png", content=png(n))
        assert made.status_code == 201, made.text
        files.append(made.json()["id"])
    project = (await client.post("/v1/projects", json={"name": name})).json()["id"]
    answer = await client.post(f"/v1/projects/{project}/files", json={"files": files})
    assert answer.json() == {"added": count}
    return project, files


async def ended(client, answer):
    assert answer.status_code == 202, answer.text
    while not (task := await seen(client, answer.json()["links"]["self"]))["finished_at"]:
        pass
    assert task["state"] == "succeeded", task
    return task


async def seen(client, url):
    """Look at what ends by itself, at once when it does; who asks again bears a slow machine."""
    return (await client.get(f"{url}?wait=10")).json()


async def splits(client, project):
    rows = (await client.get(f"/v1/projects/{project}/files?limit=100")).json()["data"]
    return {row["id"]: row["split"] for row in rows}


async def test_members_move_between_splits_and_back(ann, worker):
    client = ann.client
    project, files = await filled(client)
    here = f"/v1/projects/{project}"
    body = {"files": files[:3], "set": {"split": "test", "group": "g"}}
    task = await ended(client, await client.patch(f"{here}/files", json=body))
    assert task["outcome"] == {"moved": 3, "left": 0}
    for query in ("split=test", "group=g", "subset=original&split=test", "split=test&group=g"):
        page = (await client.get(f"{here}/files?{query}")).json()
        assert [row["id"] for row in page["data"]] == files[:3], query
        assert page["data"][0]["group"] == "g"
    counts = (await client.get(here)).json()["counts"]["original"]
    assert counts == {"": 9, "train": 0, "validation": 0, "test": 3}

    meant = {"members": {"split": ""}, "set": {"split": "train"}}
    moved = await ended(client, await client.patch(f"{here}/files", json=meant))
    assert moved["outcome"] == {"moved": 9, "left": 0}
    again = {"files": [files[5]], "set": {"split": "validation"}}
    await ended(client, await client.patch(f"{here}/files", json=again))
    undone = await ended(client, await client.post(moved["links"]["undo"]))
    assert undone["outcome"] == {"moved": 8, "left": 1}
    assert (await splits(client, project))[files[5]] == "validation"
    refused = await client.post(undone["links"]["undo"])
    assert refused.status_code == 409
    stranger = {"files": ["file_x"], "set": {"split": "test"}}
    assert (await client.patch(f"{here}/files", json=stranger)).status_code == 422


async def test_a_split_keeps_groups_whole_and_tells_its_ratios(ann, worker):
    client = ann.client
    project, files = await filled(client)
    body = {"train": 0.5, "validation": 0.25, "test": 0.25, "seed": 4, "group_by": ["name"]}
    asked = await client.post(f"/v1/projects/{project}/split", json=body)
    outcome = (await ended(client, asked))["outcome"]
    assert outcome["counts"] == {"train": 6, "validation": 3, "test": 3}
    assert outcome["wanted"] == {"train": 0.5, "validation": 0.25, "test": 0.25}
    assert outcome["groups"] == 4
    found = await splits(client, project)
    assert all(len({found[file] for file in files[n : n + 3]}) == 1 for n in (0, 3, 6, 9))
    more = (await client.post("/v1/files?name=late.png", content=png(99))).json()["id"]
    await client.post(f"/v1/projects/{project}/files", json={"files": [more]})
    await ended(client, await client.post(f"/v1/projects/{project}/split", json=body))
    later = await splits(client, project)
    assert {file: later[file] for file in files} == found
    assert later[more]


async def exported(client, url):
    while (answer := await client.get(url)).status_code == 409:
        assert answer.json()["details"]["state"] == "preparing", answer.text
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer


async def frozen(client, project, **body):
    made = await client.post(f"/v1/projects/{project}/versions", json=body)
    assert made.status_code == 202, made.text
    while (version := await seen(client, made.headers["location"]))["state"] == "building":
        pass
    assert version["state"] == "ready", version
    return version


async def test_a_version_stays_what_it_was(mill, ann, worker):
    """Deleting, moving and adding change nothing: the same bytes, whenever it is exported."""
    client = ann.client
    project, files = await filled(client)
    await ended(client, await client.post(f"/v1/projects/{project}/split", json={}))
    version = await frozen(client, project, name="first")
    assert version["files"] == 12
    document = await exported(client, version["links"]["document"])
    assert hashlib.sha256(document.content).hexdigest() == version["hash"]
    export = version["links"]["export"]
    early = await client.get(f"{export}?format=files")
    assert early.status_code == 409
    assert early.headers["retry-after"] == "1"
    assert early.json()["details"]["state"] == "preparing"
    first = await exported(client, f"{export}?format=files&wait=10")

    body = {"files": files[:2], "set": {"split": "test"}}
    await ended(client, await client.patch(f"/v1/projects/{project}/files", json=body))
    for file in files[3:6]:
        await client.delete(f"/v1/files/{file}?now=true")
    for file in files[3:6]:
        while await mill.repositories.files.get(file) is not None:
            await asyncio.sleep(0.02)
    async for blob in mill.blobs.list(f"versions/{project}/1/exports/"):
        await mill.blobs.delete(blob.key)
    second = await exported(client, f"{export}?format=files&wait=10")
    assert second.content == first.content
    assert second.headers["etag"] == first.headers["etag"]
    part = await client.get(f"{export}?format=files", headers={"range": "bytes=100-999"})
    assert part.content == first.content[100:1000]

    with zipfile.ZipFile(io.BytesIO(first.content)) as archive:
        assert archive.testzip() is None
        lines = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
        assert len(lines) == 12
        for line in lines:
            assert hashlib.sha256(archive.read(line["name"])).hexdigest() == line["sha256"]
            assert line["version"] == version["hash"]
            assert line["name"].startswith(f"{line['split']}/")

    other = await frozen(client, project)
    assert other["number"] == 2
    assert other["hash"] != version["hash"]
    there = (await client.get(other["links"]["self"] + "/difference?to=1")).json()
    assert (there["removed"], there["added"]) == (3, 0)
    assert (await client.delete(other["links"]["self"])).status_code == 204
    assert (await client.get(other["links"]["self"])).status_code == 404


async def test_the_same_content_has_the_same_hash(ann, worker):
    client = ann.client
    hashes = set()
    for _ in range(2):
        project, _files = await filled(client, 2)
        hashes.add((await frozen(client, project))["hash"])
    assert len(hashes) == 1


async def test_a_webdataset_is_samples_and_shards(ann, worker):
    client = ann.client
    project, _files = await filled(client, 5)
    export = (await frozen(client, project))["links"]["export"]
    whole = await exported(client, f"{export}?format=webdataset&wait=10")
    samples = read_samples(whole.content)
    assert len(samples) == 5
    assert all({"png", "json"} == set(sample) for sample in samples.values())
    parts = {}
    for shard, count in ((0, 2), (1, 2), (2, 1)):
        url = f"{export}?format=webdataset&shard_size=2&shard={shard}&wait=10"
        part = read_samples((await exported(client, url)).content)
        assert len(part) == count
        parts |= part
    assert parts == samples
    beyond = await client.get(f"{export}?format=webdataset&shard_size=2&shard=3&wait=10")
    assert beyond.status_code == 404


def read_samples(data: bytes) -> dict[str, dict[str, bytes]]:
    """Read a tar as WebDataset's readers do: files of one key, those of `__…__` passed over."""
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as archive:
        for member in archive:
            if member.name.startswith("__"):
                continue
            folder, _, base = member.name.rpartition("/")
            stem, _, ending = base.partition(".")
            samples.setdefault(f"{folder}/{stem}", {})[ending] = archive.extractfile(member).read()
    return samples


async def test_the_sample_has_classes_and_boxes_and_exports_them(ann, worker):
    client = ann.client
    made = await client.post("/v1/projects/sample")
    await ended(client, made)
    here = made.headers["location"]
    assert (await client.get(here)).json()["files"] == 24
    circles = (await client.get(f"{here}/files?class=circle&limit=100")).json()["data"]
    assert 5 < len(circles) < 24
    project = here.rpartition("/")[2]
    split = await client.post(f"{here}/split", json={"train": 2, "validation": 1, "test": 1})
    balance = (await ended(client, split))["outcome"]
    assert balance["counts"] == {"train": 12, "validation": 6, "test": 6}
    assert set(balance["classes"]) == {"circle", "square", "star", "triangle"}
    version = await frozen(client, project)
    assert version["summary"]["classes"]["circle"]["images"] == len(circles)
    export = version["links"]["export"]
    coco = opened(await exported(client, f"{export}?format=coco&wait=10"))
    names = {name for name in coco.namelist() if name.endswith(".json")}
    assert names == {f"annotations/instances_{s}.json" for s in ("train", "validation", "test")}
    train = json.loads(coco.read("annotations/instances_train.json"))
    assert len(train["images"]) == 12
    assert {f"train/{image['file_name']}" for image in train["images"]} <= set(coco.namelist())
    yolo = opened(await exported(client, f"{export}?format=yolo&wait=10"))
    assert sum(name.startswith("labels/train/") for name in yolo.namelist()) == 12
    assert b"circle" in yolo.read("data.yaml")
    voc = opened(await exported(client, f"{export}?format=voc&wait=10"))
    assert len(voc.read("ImageSets/Main/train.txt").split()) == 12

    kept = {"seed": 5, "export": "voc", "max_files": 5, "split": {"train": 3, "test": 1}}
    told = (await client.patch(here, json={"settings": kept})).json()["settings"]
    copy = await client.post(f"{here}/copy", json={"name": "some", "files": 6, "seed": 3})
    assert (await ended(client, copy))["outcome"] == {"copied": 6, "left_out": 0}
    other = copy.headers["location"]
    assert (await client.get(other)).json()["settings"] == {**told, "max_files": 6}
    members = (await client.get(f"{other}/files?limit=100")).json()["data"]
    assert len(members) == 6
    assert {row["split"] for row in members} <= {"train", "validation", "test"}
    whole, part = [await drawings(client, place) for place in (here, other)]
    assert part == {row["id"]: whole[row["id"]] for row in members}
    points = [one["keypoints"] for found in part.values() for one in found if one["keypoints"]]
    assert points
    assert {len(one) for one in points} == {15}
    again = await client.post(f"{here}/copy", json={"name": "x", "files": 6, "seed": 3})
    await ended(client, again)
    twins = (await client.get(f"{again.headers['location']}/files?limit=100")).json()["data"]
    assert [row["id"] for row in twins] == [row["id"] for row in members]


async def drawings(client, here):
    """Return what is drawn on the files of a project, by file, and nothing of its changes."""
    page = (await client.get(f"{here}/annotations?limit=100")).json()
    assert not page["has_more"]
    return {row["file"]: row["annotations"] for row in page["data"]}


def opened(answer):
    return zipfile.ZipFile(io.BytesIO(answer.content))


async def test_an_archive_becomes_members(ann, worker, monkeypatch):
    monkeypatch.setattr(thumbnails, "LOOK_AGAIN_MS", 20)
    client = ann.client
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for n in range(15):
            folder = "valid" if n % 3 == 0 else "train"
            made.writestr(f"set/{folder}/{'cat' if n % 2 else 'dog'}/{n}.png", png(n))
        made.writestr("set/train/broken.png", b"no picture at all")
        made.writestr("set/_annotations.coco.json", b"{}")
        made.writestr("__MACOSX/._x", b"rubbish")
    file = await client.post("/v1/files?name=set.zip", content=archive.getvalue())
    project = (await client.post("/v1/projects", json={"name": "set"})).json()["id"]
    here = f"/v1/projects/{project}"
    body = {"file": file.json()["id"], "folders": "split-and-class"}
    outcome = (await ended(client, await client.post(f"{here}/import", json=body)))["outcome"]
    assert outcome["taken"] == 15
    assert outcome["failed"] == 1
    assert outcome["failures"][0]["path"] == "set/train/broken.png"
    assert outcome["annotations"] == ["set/_annotations.coco.json"]
    assert (await client.get(here)).json()["counts"]["original"]["validation"] == 5
    cats = (await client.get(f"{here}/files?class=cat&limit=100")).json()["data"]
    assert len(cats) == 7
    assert cats[0]["lineage"]["path"].startswith("set/")
    refused = await client.post(f"{here}/import", json={})
    assert refused.status_code == 422
    others = [f"{n}-{'ä' * 50}.png" for n in range(100)]
    some = body | {"members": ["set/*/dog/*.png", "set/train/cat/1.png", *others]}
    few = (await client.post("/v1/projects", json={"name": "few"})).headers["location"]
    outcome = (await ended(client, await client.post(f"{few}/import", json=some)))["outcome"]
    assert (outcome["taken"], outcome["failed"], outcome["annotations"]) == (9, 0, [])
    names = [one["name"] for one in (await client.get(f"{few}/files?class=cat")).json()["data"]]
    assert names == ["1.png"]
    none = body | {"members": ["nothing.png"]}
    begun = (await client.post(f"{few}/import", json=none)).json()
    while not (task := await seen(client, begun["links"]["self"]))["finished_at"]:
        pass
    assert (task["state"], task["error"]) == ("failed", "Nothing in there is called so.")
    many = body | {"members": ["x" * 300] * 201}
    assert (await client.post(f"{few}/import", json=many)).status_code == 422
    members = (await client.get(f"{here}/files?limit=100")).json()["data"]
    for one in members:  # small pictures come when there is time
        await pictured(client, one["id"])


async def pictured(client, file):
    async with asyncio.timeout(60):
        while (answer := await client.get(f"/v1/files/{file}/thumbnail")).status_code != 200:
            await asyncio.sleep(0.05)
    assert answer.headers["content-type"] == "image/jpeg"


async def test_annotations_find_images_of_one_name_by_their_folders(ann, worker):
    client, archive = ann.client, io.BytesIO()
    places = ("train/c1/img.png", "train/c2/img.png", "val/c2/img.png")
    with zipfile.ZipFile(archive, "w") as made:
        for n, place in enumerate(places):
            made.writestr(f"set/{place}", png(n))
    file = await client.post("/v1/files?name=set.zip", content=archive.getvalue())
    here = (await client.post("/v1/projects", json={"name": "set"})).headers["location"]
    await ended(client, await client.post(f"{here}/import", json={"file": file.json()["id"]}))
    coco = {
        "images": [
            {"id": n, "file_name": p, "width": 8, "height": 8} for n, p in enumerate(places)
        ],
        "annotations": [
            {"id": n + 1, "image_id": n, "category_id": 1, "bbox": [n, 1, 2, 2], "area": 4}
            for n in range(3)
        ],
        "categories": [{"id": 1, "name": "dot"}],
    }
    data = json.dumps(coco).encode()
    file = (await client.post("/v1/files?name=set.json", content=data)).json()["id"]
    task = await ended(client, await client.post(f"{here}/annotations/import", json={"file": file}))
    assert (task["outcome"]["errors"], task["outcome"]["stored"]) == (0, True), task
    members = (await client.get(f"{here}/files")).json()["data"]
    for row in members:
        drawn = (await client.get(f"{here}/files/{row['id']}/annotations")).json()
        place = places.index(row["lineage"]["path"].removeprefix("set/"))
        assert drawn["annotations"][0]["box"] == [place, 1, 2, 2]


async def test_a_split_that_was_cut_tells_of_its_plan(ann, worker, monkeypatch):
    client, cuts = ann.client, []
    project, _ = await filled(client, 12)
    late = (await client.post("/v1/files?name=late.png", content=png(99))).json()["id"]
    real = moving.Mover._step
    monkeypatch.setattr(moving, "MEMBERS_PER_STEP", 5)

    async def cut(self, project, moves):
        cuts.append(1)
        if len(cuts) == 2:
            await client.post(f"/v1/projects/{project}/files", json={"files": [late]})
            raise OSError("the machine went away")
        return await real(self, project, moves)

    monkeypatch.setattr(moving.Mover, "_step", cut)
    body = {"train": 0.5, "validation": 0.3, "test": 0.2, "seed": 4, "group_by": ["name"]}
    asked = await client.post(f"/v1/projects/{project}/split", json=body)
    outcome = (await ended(client, asked))["outcome"]
    placed = Counter(filter(None, (await splits(client, project)).values()))
    assert len(cuts) > 2
    assert (outcome["counts"], outcome["moved"], outcome["straddling"]) == (placed, 12, 0)


async def test_two_who_hold_the_task_tell_of_the_one_plan(ann, worker, monkeypatch):
    """One was taken for lost when it had placed the members, and another has placed them anew."""
    client, met = ann.client, []
    project, _ = await filled(client, 12)
    late = (await client.post("/v1/files?name=late.png", content=png(99))).json()["id"]
    plan, write = SplitMembers._plan, moving.Mover.write

    async def noted(self, work):
        met.append((self, work))
        await plan(self, work)

    async def overtaken(self, key, moves, told=None):
        if len(met) == 1:
            met.append(None)
            await client.post(f"/v1/projects/{project}/files", json={"files": [late]})
            await plan(*met[0])
        await write(self, key, moves, told)

    monkeypatch.setattr(SplitMembers, "_plan", noted)
    monkeypatch.setattr(moving.Mover, "write", overtaken)
    asked = await client.post(f"/v1/projects/{project}/split", json={"train": 0.5, "test": 0.5})
    outcome = (await ended(client, asked))["outcome"]
    placed = Counter(filter(None, (await splits(client, project)).values()))
    assert (outcome["counts"], outcome["moved"], placed.total()) == (placed, 13, 13)


async def test_tasks_have_their_turns_as_they_came_and_steps_wait_for_them(mill, ann):
    """Though the second is claimed first; a version with steps is refused while they wait."""
    client = ann.client
    project, _ = await filled(client, 3)
    here = f"/v1/projects/{project}"
    asked = []
    for n in range(3):
        body = {"train": 0.5, "test": 0.5, "seed": n, "keep": False}
        asked.append(await client.post(f"{here}/split", json=body))
        assert asked[-1].status_code == 202
    steps = {"steps": [{"operation": "preprocess"}]}
    refused = await client.post(f"{here}/versions", json=steps)
    assert refused.status_code == 409, refused.text
    assert refused.json()["details"]["state"] == "working"
    assert (await client.get(f"{here}/versions")).json()["data"] == []
    first = asked[0].json()["id"]
    later = Update(Unit, (f"task:{project}:{first}", 0), add={"due": 300})
    await mill.store.transact(later)
    async with working(mill):
        told = [await ended(client, one) for one in asked]
        assert (await client.post(f"{here}/versions", json=steps)).status_code == 202
    finished = [one["finished_at"] for one in told]
    assert finished == sorted(finished)
    assert len({*finished}) == 3


async def test_a_shared_project_opens_as_far_as_the_role_goes(mill, ann, bob, worker):
    client, guest = ann.client, bob.client
    project, files = await filled(client, 4)
    here, content = f"/v1/projects/{project}", f"/v1/files/{files[0]}/content"
    assert (await guest.get(here)).status_code == 404
    assert (await guest.get(content)).status_code == 404
    share = await client.post(f"{here}/shares", json={"user": bob.email, "role": "viewer"})
    assert share.status_code == 201, share.text
    assert (await guest.get(here)).json()["role"] == "viewer"
    others = [member(f"proj_0000{n:03}", files[0], 0) for n in range(100)]
    for n in range(0, 100, 20):  # it is a member of many more, and this is the last of them
        await mill.store.transact(*map(Put, others[n : n + 20]))
    assert (await guest.get(content)).content == png(0)
    assert len((await guest.get(f"{here}/files")).json()["data"]) == 4
    assert (await guest.get("/v1/projects?state=shared")).json()["data"][0]["id"] == project
    private = (await client.post("/v1/projects", json={"name": "not theirs"})).json()["id"]
    await client.post(f"/v1/projects/{private}/files", json={"files": files[:1]})
    assert await holding(guest, files[0]) == [(project, "viewer")]
    assert len(await holding(client, files[0])) == 2
    assert await holding(client, files[1]) == [(project, "owner")]
    edit = {"files": files[:1], "set": {"split": "test"}}
    assert (await guest.patch(f"{here}/files", json=edit)).status_code == 403
    assert (await guest.delete(f"/v1/files/{files[0]}")).status_code == 403
    assert (await guest.get(f"{here}/shares")).status_code == 403
    job = {"project": project, "steps": [{"operation": "thumbnail"}]}
    theirs = (await guest.post("/v1/jobs", json=job)).json()
    done = (await guest.get(f"/v1/jobs/{theirs['id']}?wait=20")).json()
    assert done["state"] == "succeeded", done
    assert (await client.get(f"/v1/jobs/{theirs['id']}")).status_code == 404
    await client.post(f"{here}/classes", json={"name": "leaf", "colour": "#00ff00"})
    marked = {"annotations": [{"class": "leaf", "box": [1, 2, 3, 4], "extra": {"by": "ann"}}]}
    await client.put(f"{here}/files/{files[2]}/annotations", json=marked)
    copy = await guest.post(f"{here}/copy", json={"name": "mine"})
    assert (await ended(guest, copy))["outcome"]["copied"] == 4
    place = copy.headers["location"]
    mine = (await guest.get(f"{place}/files")).json()["data"]
    assert not {row["id"] for row in mine} & set(files)
    (copied,) = [row["id"] for row in mine if row["name"] == "plant0_02.png"]
    ((_, drawn),) = (await drawings(client, here)).items()
    assert await drawings(guest, place) == {copied: drawn}
    (leaf,) = (await guest.get(f"{place}/classes")).json()["data"]
    assert (leaf["name"], leaf["colour"]) == ("leaf", "#00ff00")

    await client.post(f"{here}/shares", json={"user": bob.id, "role": "editor"})
    assert (await guest.patch(f"{here}/files", json=edit)).status_code == 202
    assert (await guest.delete(here)).status_code == 403
    theirs = {"files": [mine[0]["id"]]}
    assert (await guest.post(f"{here}/files", json=theirs)).json() == {"added": 1}
    assert (await client.get(f"/v1/files/{mine[0]['id']}/content")).status_code == 200
    assert [row["email"] for row in (await client.get(f"{here}/shares")).json()["data"]] == [
        bob.email
    ]
    own = (await guest.post("/v1/projects", json={"name": "own"})).json()["id"]
    grab = await guest.post(f"/v1/projects/{own}/files", json={"files": files[:1]})
    assert grab.status_code == 422  # else it would outlast the share

    assert (await client.delete(f"{here}/shares/{bob.id}")).status_code == 204
    for path in (here, content, f"{here}/files"):
        assert (await guest.get(path)).status_code == 404
    assert (await guest.get("/v1/projects?state=shared")).json()["data"] == []
    assert (await guest.get(f"/v1/projects?file={files[0]}")).status_code == 404
    both = await client.get(f"/v1/projects?file={files[0]}&state=trashed")
    assert both.status_code == 422
    nobody = await client.post(f"{here}/shares", json={"user": "x@example.org", "role": "viewer"})
    assert nobody.status_code == 422


async def holding(client, file):
    """Return the projects that hold a file, by all pages."""
    found, after = [], ""
    while after is not None:
        page = (await client.get(f"/v1/projects?file={file}&limit=60{after}")).json()
        found += [(one["id"], one["role"]) for one in page["data"]]
        after = f"&after={page['after']}" if page["has_more"] else None
    return found


async def test_near_duplicates_stay_together(ann, worker):
    """Of a finished health check over the project, whose summary the project shows."""
    client = ann.client
    project, files = await filled(client, 3)
    scene = noisy(5)
    for n, quality in enumerate((95, 60, 40)):
        data = cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        made = await client.post(f"/v1/files?name=alike{n}.jpg", content=data)
        files.append(made.json()["id"])
    here = f"/v1/projects/{project}"
    await client.post(f"{here}/files", json={"files": files[3:]})
    assert (await client.get(f"{here}/health")).status_code == 404
    split = {"train": 1, "validation": 1, "test": 1, "group_by": ["near-duplicates"]}
    assert (await client.post(f"{here}/split", json=split)).status_code == 409
    for part in (
        {"split": ""},
        {"steps": [{"operation": "health-check", "parameters": {"duplicates": False}}]},
        {"steps": [{"operation": "augment", "parameters": {"methods": ["horizontal-flip"]}},
                   {"operation": "health-check"}]},
    ):  # fmt: skip
        assert (await checked(client, project, **part))["images"] == 6
        refused = await client.post(f"{here}/split", json=split)
        assert refused.status_code == 409, part
        assert "run `health-check` over the project" in refused.json()["detail"]
    await checked(client, project, subset="original")
    await checked(client, project, split="")  # a later one that cannot be used hides it not
    late = (await client.post("/v1/files?name=late.png", content=png(98))).json()["id"]
    await client.post(f"{here}/files", json={"files": [late]})
    task = await ended(client, await client.post(f"{here}/split", json=split))
    assert (task["outcome"]["largest_group"], task["outcome"]["unchecked"]) == (3, 1)
    found = await splits(client, project)
    assert len({found[file] for file in files[3:]}) == 1
    alone = {**split, "group_by": ["video"]}
    task = await ended(client, await client.post(f"{here}/split", json=alone))
    assert task["outcome"]["unchecked"] == 0


async def checked(client, project, **part):
    """Check a project, or a part of it; return the summary that the project then shows."""
    body = {"project": project, "steps": [{"operation": "health-check"}], **part}
    job = (await client.post("/v1/jobs", json=body)).json()
    done = (await client.get(f"/v1/jobs/{job['id']}?wait=30")).json()
    while done["finished_at"] is None:
        done = (await client.get(f"/v1/jobs/{job['id']}?wait=30")).json()
    assert done["state"] == "succeeded", done
    shown = (await client.get(f"/v1/projects/{project}/health")).json()
    assert shown["job"] == job["id"]
    return shown["summary"]


def noisy(seed):
    """Make a picture with much to recognise in it."""
    dice = np.random.default_rng(seed)
    small = dice.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC)
