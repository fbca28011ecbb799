"""S8 for datasets: hostile members of imports, hostile sets of annotations, odd annotations.

The soak takes some minutes: all hostile images, and sets of several megabytes.
"""

import struct
import zlib
from typing import Any

import pytest

from tests.annotations.hostile import EVIL, drawn, long_sets, sets, zipped
from tests.media_factory import hostile_images, sample
from tests.security.conftest import Mill
from tests.security.mutator import mutants
from tests.web.test_annotations import png


def bomb() -> bytes:
    """Return a small PNG that says it has 3.6 gigapixels."""
    data = bytearray(png(8, 8))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


async def project_of(mill: Mill, *files: str) -> str:
    made = await mill.client.post("/v1/projects", json={"name": "set"})
    here = f"/v1/projects/{made.json()['id']}"
    await mill.client.post(f"{here}/files", json={"files": files})
    return here


async def done(mill: Mill, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for a task; return it when it has ended, for a reason that is told."""
    begun = await mill.client.post(path, json=body)
    assert begun.status_code == 202, begun.text
    for _ in range(10):
        task = (await mill.client.get(begun.json()["links"]["self"], params={"wait": 30})).json()
        if task["finished_at"]:
            break
    assert task["state"] in ("succeeded", "failed"), task
    assert task["code"] != "internal", task
    assert "the log of the service" not in task["error"], task
    return task


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
async def test_hostile_sets_of_annotations_are_told_what_is_wrong(mill, step: int):
    """The rest of `tests/annotations/test_hostile.py` through the service in the soak."""
    chosen = [*sets()][::step] + ([*long_sets()] if step == 1 else [])
    async with mill() as service:
        image = await service.upload("a.png", png(64, 48))
        here = await project_of(service, image.json()["id"])
        ended = {}
        for name, data in chosen:
            sent = await service.upload(name, data)
            if sent.status_code != 201:
                assert sent.json()["code"], sent.text
                continue
            body = {"file": sent.json()["id"], "skip_invalid": True}
            ended[name] = await done(service, f"{here}/annotations/import", body)
        service.alive()
        wrong = {name: task["outcome"].get("errors") or task["error"]
                 for name, task in ended.items()}  # fmt: skip
        silent = {name for name in wrong if not wrong[name] and not name[0].isdigit()}
        assert silent <= {"up.zip"}, silent  # of mutants, whose names are numbers, some are sound
        stored = (await service.client.get(f"{here}/annotations")).json()["data"]
        assert all(one["width"] == 64 for one in stored)
        good = await service.upload("good.json", drawn(bbox=[1, 1, 9, 9]))
        task = await done(service, f"{here}/annotations/import", {"file": good.json()["id"]})
        assert (task["state"], task["outcome"]["stored"]) == ("succeeded", True), task


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
async def test_hostile_members_are_failures_with_a_reason_and_can_be_drawn_on(mill, step: int):
    images = {path.name: path.read_bytes() for path in hostile_images()[::step]}
    good = sample("orientation-6.jpg").read_bytes()
    mutated = {f"m/{name}.jpg": data for name, data in mutants(good, 40 // step + 4, 2)}
    names = {name.replace("\0", "_"): png(8, 8, n) for n, name in enumerate(EVIL)}
    members = {**images, **mutated, **names, "bomb.png": bomb()}
    async with mill() as service:
        archive = await service.upload("set.zip", zipped(members))
        here = await project_of(service)
        task = await done(service, f"{here}/import", {"file": archive.json()["id"]})
        told = task["outcome"]
        assert (task["state"], told["taken"] + told["failed"]) == ("succeeded", len(members)), task
        assert told["taken"] >= len(names)
        assert all(one["code"] != "internal" and one["error"] for one in told["failures"])
        files = (await service.client.get(f"{here}/files", params={"limit": 100})).json()["data"]
        await service.client.post(f"{here}/classes", json={"name": "cat"})
        boxes = [[0, 0, 1, 1], [-9e6, -9e6, 1.8e7, 1.8e7], [0.5, 0.5, 1e-9, 1e-9]]
        for file in files:
            for box in boxes:
                body = {"add": [{"class": "cat", "box": box}]}
                path = f"{here}/files/{file['id']}/annotations"
                answer = await service.client.patch(path, json=body)
                assert answer.status_code in (200, 422), answer.text
            shown = await service.client.get(f"/v1/files/{file['id']}/thumbnail")
            assert shown.status_code in (200, 302, 404), shown.text
        ids = [file["id"] for file in files]
        steps = [{"operation": "augment", "parameters": {"methods": ["rotate", "mosaic", "tile"]}}]
        body = {"project": here.rpartition("/")[2], "steps": steps}
        job = (await service.client.post("/v1/jobs", json=body)).json()["id"]
        ended = await service.client.get(f"/v1/jobs/{job}", params={"wait": 60})
        assert ended.json()["state"] in ("succeeded", "partial"), ended.text
        assert ended.json()["counts"]["succeeded"] >= len(names), (len(ids), ended.text)
        service.alive()
