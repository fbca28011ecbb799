"""A small installation as people leave it: made through the real service, in this process."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

import httpx

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.engine.scheduler import Scheduler
from mediamill.web.app import create_app
from tests.faults.history import History
from tests.support.serving import working
from tests.web.conftest import client_of, person
from tests.web.test_uploading import PNG

TUS = {"tus-resumable": "1.0.0"}
BODY = {**TUS, "content-type": "application/offset+octet-stream"}


@dataclass
class Dataset:
    """What is in the project: as it is answered."""

    drawn: dict
    exported: bytes
    guest: str

    @classmethod
    async def of(cls, client: httpx.AsyncClient, project: str, guest: str) -> "Dataset":
        here = f"/v1/projects/{project}"
        drawn = await client.get(f"{here}/annotations")
        assert len(drawn.json()["data"]) == 2, drawn.text
        exported = await client.get(f"{here}/versions/1/export?format=coco&wait=30")
        assert exported.status_code == 200, exported.text
        shares = (await client.get(f"{here}/shares")).json()["data"]
        assert [(row["id"], row["role"]) for row in shares] == [(guest, "viewer")]
        return cls(drawn.json(), exported.content, guest)


async def _annotated(client: httpx.AsyncClient, project: str, files: list[str]) -> None:
    """Draw a little on one member and much on the other, which does not fit into a row."""
    here = f"/v1/projects/{project}"
    await client.post(f"{here}/classes", json={"name": "dog"})
    ring = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0] * 500
    for file, shape in zip(files, ({"box": [0, 0, 1, 1]}, {"polygons": [ring]}), strict=True):
        url = f"{here}/files/{file}/annotations"
        for x in (1, 2):
            body = {"annotations": [{"class": "dog", **shape}], "extra": {"seen": x}}
            put = await client.put(url, json=body, headers={"if-match": "*"})
            assert put.status_code == 200, put.text


KEY = "sk-moves-too"


@dataclass
class Asked:
    """A job that asked a model, and what is known of that: as it is answered."""

    job: str
    told: dict[str, dict]

    @classmethod
    async def of(cls, client: httpx.AsyncClient, job: str) -> "Asked":
        paths = ("providers/good", "chains/caption", f"jobs/{job}/attempts", "spending", "budgets")
        told = {path: (await client.get(f"/v1/{path}")).json() for path in paths}
        assert told["providers/good"]["has_key"], told
        assert told["chains/caption"]["providers"] == ["good"], told
        assert len(told[f"jobs/{job}/attempts"]["data"]) == 1, told
        assert told["spending"]["cost"] == 0.01, told
        assert told["budgets"]["data"][0]["monthly"] == 5, told
        del told["providers/good"]["health"]  # who held permits is not moved for good
        return cls(job, told)


async def _asking(client: httpx.AsyncClient, owner: str, file: str) -> str:
    """Set up a provider, and caption a picture; return the job."""
    good = {"name": "good", "address": "echo:g", "key": KEY, "price": {"call": 0.01}}
    caption = {"operation": "caption", "parameters": {"variants": ["concise"]}}
    for method, path, body in (
        ("POST", "providers", good), ("PUT", "chains/caption", {"providers": ["good"]}),
        ("PUT", f"budgets/{owner}", {"monthly": 5}),
        ("POST", "jobs", {"files": [file], "steps": [caption]}),
    ):  # fmt: skip
        answer = await client.request(method, f"/v1/{path}", json=body)
        assert answer.is_success, answer.text
    return answer.json()["id"]


@dataclass
class Installation:
    """What its one user has and was told."""

    home: Path
    token: str
    history: History
    zip: bytes
    etag: str
    project: str
    trashed: str
    upload: str
    """Where the rest of an upload goes."""
    rest: bytes
    waiting: str
    """A job that a worker had begun when the service ended."""
    dataset: "Dataset"
    asked: "Asked"

    def settings(self, **more: object) -> Settings:
        return Settings(home=self.home, slots=1, min_free_bytes=0, lease_seconds=6, **more)


def picture(number: int) -> bytes:
    return PNG + bytes([number]) * (1000 * number)


async def submit(history: History, client: httpx.AsyncClient, files: list[str]) -> str:
    return await history.submit(client, files, "convert", format="jpeg")


async def made(home: Path, pictures: int = 4) -> Installation:
    """Make one; nothing runs on it afterwards."""
    settings = Settings(home=home, slots=1, min_free_bytes=0, poll_seconds=0.05)
    history = History()
    async with (
        await App.open(settings) as app,
        person(create_app(app), "ann") as ann,
        person(create_app(app), "bob") as bob,
    ):
        return await _filled(app, ann, bob.id, history, home, pictures)


async def _filled(app, ann, guest, history, home, pictures) -> Installation:
    client = ann.client
    files = [await history.upload(client, f"{n}.png", picture(n)) for n in range(pictures)]
    tagged = await client.patch(f"/v1/files/{files[0]}", json={"tags": ["red", "ä"]})
    assert tagged.status_code == 200, tagged.text
    project = (await client.post("/v1/projects", json={"name": "Set"})).json()["id"]
    added = await client.post(f"/v1/projects/{project}/files", json={"files": files[:2]})
    assert added.is_success, added.text
    await _annotated(client, project, files[:2])
    share = {"user": guest, "role": "viewer"}
    shared = await client.post(f"/v1/projects/{project}/shares", json=share)
    assert shared.is_success, shared.text
    text = await history.upload(client, "a.txt", b"hello")
    job = await submit(history, client, [*files, text])
    asking = await _asking(client, ann.id, files[0])
    async with working(app):
        answer = await client.get(f"/v1/jobs/{job}", params={"wait": 30})
        assert answer.json()["state"] == "partial", answer.text
        frozen = await client.post(f"/v1/projects/{project}/versions", json={"name": "one"})
        ready = await client.get(frozen.json()["links"]["self"], params={"wait": 30})
        assert ready.json()["state"] == "ready", ready.text
        dataset = await Dataset.of(client, project, guest)
        captioned = await client.get(f"/v1/jobs/{asking}", params={"wait": 30})
        assert captioned.json()["state"] == "succeeded", captioned.text
        asked = await Asked.of(client, asking)
    trashed = files.pop()
    assert (await client.delete(f"/v1/files/{trashed}")).is_success
    whole = PNG + b"x" * 5000
    place = await _half(client, whole)
    token = await client.post("/v1/tokens", json={"name": "mine"})
    assert token.is_success, token.text
    waiting = await submit(history, client, files)
    scheduler = Scheduler(app.store, 1000)
    assert await scheduler.claim_next(("interactive", "bulk"), "somebody") is not None
    download = await client.get(f"/v1/jobs/{job}/download")
    assert download.status_code == 200, download.text
    etag = download.headers["etag"]
    return Installation(home, token.json()["token"], history, download.content, etag,
                        project, trashed, place, whole[3000:], waiting, dataset, asked)  # fmt: skip


async def _half(client: httpx.AsyncClient, whole: bytes) -> str:
    name = base64.b64encode(b"slow.png").decode()
    said = {**TUS, "upload-length": str(len(whole)), "upload-metadata": f"filename {name}"}
    place = (await client.post("/v1/uploads", headers=said)).headers["location"]
    sent = await client.patch(place, headers={**BODY, "upload-offset": "0"}, content=whole[:3000])
    assert sent.status_code == 204, sent.text
    return place


async def lives_on(found: Installation, settings: Settings) -> list[str]:
    """Run the service on the new settings: everything goes on; return what is broken."""
    async with await App.open(settings) as app:
        headers = {"authorization": f"Bearer {found.token}"}
        async with client_of(create_app(app), **headers) as client, working(app):
            sent = {**BODY, "upload-offset": "3000"}
            ended = await client.patch(found.upload, headers=sent, content=found.rest)
            assert ended.status_code == 204, ended.text
            done = await client.get(f"/v1/jobs/{found.waiting}", params={"wait": 30})
            assert done.json()["state"] == "succeeded", done.text
            back = await client.post(f"/v1/files/{found.trashed}/restore")
            assert back.is_success, back.text
            assert (
                hashlib.sha256(
                    (await client.get(f"/v1/files/{found.trashed}/content")).content
                ).hexdigest()
                == found.history.uploads[found.trashed]
            )
            again = await client.get(f"/v1/jobs/{found.history.jobs[0]}/download")
            assert (again.content, again.headers["etag"]) == (found.zip, found.etag)
            listed = await client.get("/v1/files", params={"project": found.project})
            assert len(listed.json()["data"]) == 2, listed.text
            there = await Dataset.of(client, found.project, found.dataset.guest)
            assert there == found.dataset
            assert await Asked.of(client, found.asked.job) == found.asked
            assert (await app.parts.models.chains.find("good")).key == KEY
            newer = await found.history.upload(client, "new.png", picture(9))
            await submit(found.history, client, [newer])
            for job in found.history.jobs:
                await client.get(f"/v1/jobs/{job}", params={"wait": 30})
        async with client_of(create_app(app), **headers) as client:
            return await found.history.check(client, settings)
