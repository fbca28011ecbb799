"""The other calls, each once against a real service with models."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mediamill.cli.remote.home import Credentials
from mediamill.client import Conflict, InvalidInput, NotFound
from tests.annotations.sets import coco
from tests.cli.conftest import Commands, serving

PROVIDERS = Path(__file__).parents[1] / "web" / "captions.toml"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Credentials]:
    """A service with providers."""
    folder = tmp_path_factory.mktemp("calls")
    given = {
        "MEDIAMILL_MIN_FREE_BYTES": "0", "MEDIAMILL_PROVIDERS": str(PROVIDERS),
        "MEDIAMILL_PROMPT_CHAIN": "echo:one", "MEDIAMILL_FETCH_ALLOW": "127.0.0.1:*",
    }  # fmt: skip
    with serving(Commands(folder / "home", folder, given)) as credentials:
        yield credentials


@pytest.fixture
def pictures(client) -> list[str]:
    """Ids of the pictures that `coco()` is about."""
    found = []
    random = np.random.default_rng(1)
    for image in coco()["images"]:
        pixels = random.integers(0, 255, (image["height"], image["width"], 3), np.uint8)
        data = cv2.imencode(Path(image["file_name"]).suffix, pixels)[1].tobytes()
        found.append(client.files.upload(data, name=Path(image["file_name"]).name)["id"])
    return found


def test_captions_are_judged_and_asked_again(client, picture):
    file = client.files.upload(picture, name="boat.png")["id"]
    step = {"operation": "caption", "parameters": {"providers": ["boat"]}}
    job = client.jobs.run(files=[file], steps=[step])
    (row,) = client.captions.list(job=job["id"], query="red boa")
    caption = row["id"]
    assert client.captions.get(caption)["state"] == "new"
    text = {"variant": "concise", "language": "en", "text": "A ship"}
    assert client.captions.edit(caption, [text])["captions"][0]["text"] == "A ship"
    assert client.captions.undo(caption)["captions"][0]["text"].startswith("A red boat")
    (judged,) = client.captions.review([caption], "rejected")
    assert judged["caption"]["state"] == "rejected"
    again = client.captions.ask_again(job=job["id"], providers=["other"])
    assert (len(again["jobs"]), again["failed"], again["has_more"]) == (1, [], False)
    assert client.jobs.wait(again["jobs"][0])["state"] == "succeeded"
    with pytest.raises(InvalidInput, match="no rejected captions"):
        client.captions.ask_again(job=job["id"])
    table = b"".join(client.captions.export("jsonl", job=job["id"], variants=["concise"]))
    assert json.loads(table)["concise"].startswith("A red boat")
    assert list(client.jobs.attempts(job["id"]))
    client.captions.delete(caption)
    assert client.captions.delete_all() >= 1
    assert list(client.captions.list()) == []


def test_a_project_is_split_copied_shared_frozen_and_exported(client, pictures, tmp_path):
    project = client.projects.create(name="set", description="for a test")["id"]
    assert client.projects.add(project, pictures) == {"added": len(pictures)}
    split = client.projects.wait(client.projects.split(project, train=1, validation=1, test=0))
    assert split["state"] == "succeeded", split
    splits = {row["split"] for row in client.projects.files(project)}
    assert splits == {"train", "validation"}
    moved = client.projects.move(project, {"split": "test"}, files=pictures[:1])
    client.projects.wait(moved)
    assert [row["id"] for row in client.projects.files(project, split="test")] == pictures[:1]
    client.projects.wait(client.projects.undo(project, moved["id"]))
    assert list(client.projects.files(project, split="test")) == []
    copied = client.projects.wait(client.projects.copy(project, f"of {project}", files=2, seed=1))
    copies = [one for one in client.projects.list() if one["name"] == f"of {project}"]
    assert (copied["state"], len(copies)) == ("succeeded", 1)
    assert len(list(client.projects.files(copies[0]["id"]))) == 2
    with pytest.raises((NotFound, InvalidInput)):
        client.projects.share(project, "nobody@example.org")
    assert list(client.projects.shares(project)) == []
    version = client.projects.freeze(project, "first")
    version = client.projects.wait_version(project, version["number"])
    assert version["files"] == len(pictures)
    assert [one["number"] for one in client.projects.versions(project)] == [version["number"]]
    saved = client.projects.export(project, version["number"], tmp_path / "v.zip")
    with zipfile.ZipFile(saved) as archive:
        assert len(archive.namelist()) >= len(pictures)
    assert client.projects.remove(project, pictures[:1]) == {"removed": 1}
    assert client.projects.change(project, name="renamed")["name"] == "renamed"
    client.projects.delete(project)
    assert client.projects.restore(project)["id"] == project
    assert {task["id"] for task in client.projects.tasks(project)} >= {split["id"], moved["id"]}


def test_a_project_is_shared_with_another(client, connect, service, pictures):
    import httpx

    email = f"bea-{pictures[0][-8:].lower()}@example.org"
    account = {"email": email, "password": "a long enough password"}
    made = httpx.post(f"{service.server}/v1/auth/register", json=account, trust_env=False)
    assert made.status_code == 201, made.text
    signed = httpx.post(f"{service.server}/v1/auth/login", json=account, trust_env=False).json()
    project = client.projects.create(name="shared")["id"]
    client.projects.add(project, pictures)
    share = client.projects.share(project, email, "editor")
    assert share["role"] == "editor"
    bea = connect(service.server, signed["token"])
    assert [one["id"] for one in bea.projects.list(state="shared")] == [project]
    (row,) = client.projects.shares(project)
    client.projects.revoke(project, row["id"])
    with pytest.raises(NotFound):
        bea.projects.get(project)


def test_annotations_are_brought_drawn_and_taken_out(client, pictures):
    project = client.projects.create(name="drawn")["id"]
    client.projects.add(project, pictures)
    made = client.files.upload(json.dumps(coco()).encode(), name="instances.json")["id"]
    tried = client.projects.wait(client.annotations.bring(project, made, dry_run=True))
    assert tried["state"] == "succeeded", tried
    findings = list(client.annotations.findings(project, tried["id"]))
    assert all(one["level"] != "error" for one in findings), findings
    assert all(not one["annotations"] for one in client.annotations.list(project))
    done = client.projects.wait(client.annotations.bring(project, made, format="coco"))
    assert done["state"] == "succeeded", done
    drawn = list(client.annotations.list(project))
    assert sum(len(one["annotations"]) for one in drawn) == len(coco()["annotations"])
    names = {one["name"] for one in client.annotations.classes(project)["data"]}
    assert names >= {one["name"] for one in coco()["categories"]}
    file = pictures[0]
    before = client.annotations.get(project, file)
    name = min(names)
    box = {"class": name, "box": [1, 1, 5, 5]}
    changed = client.annotations.patch(project, file, add=[box])
    assert len(changed["annotations"]) == len(before["annotations"]) + 1
    with pytest.raises(Conflict):
        client.annotations.put(project, file, {"annotations": [box]}, if_match='"a0"')
    assert len(client.annotations.undo(project, file)["annotations"]) == len(before["annotations"])
    exported = b"".join(client.annotations.export(project))
    assert len(json.loads(exported)["annotations"]) == len(coco()["annotations"])
    added = client.annotations.add_class(project, name="boat")
    assert client.annotations.change_class(project, added["number"], name="ship")["name"] == "ship"
    client.annotations.delete_class(project, added["number"])
    assert client.annotations.delete(project, file)["annotations"] == []


def test_jobs_over_archives_partly_fail_and_are_retried(client, picture):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("good.png", picture)
        archive.writestr("bad.png", picture[:-700])
    zipped = client.files.upload(made.getvalue(), name="set.zip")["id"]
    job = client.jobs.submit(archive=zipped, steps=[{"operation": "thumbnail"}])
    job = client.jobs.wait(job)
    assert (job["state"], job["counts"]["failed"]) == ("partial", 1), job
    (bad,) = client.jobs.items(job["id"], state="failed")
    assert bad["path"] == "bad.png"
    again = client.jobs.retry(job["id"], only="failed")
    assert again["generation"] == job["generation"] + 1
    assert client.jobs.wait(again)["state"] == "partial"
    client.jobs.delete(job["id"])
    assert client.jobs.restore(job["id"])["id"] == job["id"]


def test_questions_and_answers(client, picture):
    file = client.files.upload(picture, name="q.png")["id"]
    job = client.prompts.ask("What is it?", [file], name="asked")
    assert client.jobs.wait(job)["state"] == "succeeded"
    ((item, text),) = client.prompts.answers(job["id"])
    assert item["file"] == file
    assert text


def test_what_the_server_may_not_fetch(client):
    with pytest.raises(InvalidInput) as refused:
        client.files.fetch("http://10.0.0.1/x", tags=["a"])
    assert refused.value.status == 422


def test_what_jobs_are_made_of(client):
    names = [one["name"] for one in client.operations.list()]
    assert "extract-frames" in names
    checked = client.operations.check("extract-frames", {"count": 2})
    assert checked["parameters"]["count"] == 2
    assert client.operations.get("thumbnail")["schema"]
    steps = [{"operation": "thumbnail", "parameters": {}}]
    template = client.templates.create(name="small", steps=steps)
    assert client.templates.get("small")["id"] == template["id"]
    changed = client.templates.change("small", description="told")
    assert changed["description"] == "told"
    assert [one["name"] for one in client.templates.list()] == ["small"]
    assert list(client.templates.versions("small"))
    client.templates.delete("small")
    assert list(client.models.providers())
    assert list(client.models.chains())


def test_the_account(client, connect, service):
    assert client.account.me()["id"]
    assert client.account.usage()
    assert client.account.spending()["month"]
    list(client.account.daily())
    token = client.tokens.create(name="a", scopes=["files:read"], expires_in_days=1)
    assert token["id"] in {one["id"] for one in client.tokens.list()}
    list(connect(service.server, token["token"]).files.list())
    client.tokens.revoke(token["id"])
    hook = client.webhooks.create(url="http://127.0.0.1:9/mill", types=["job.*"])
    assert client.webhooks.get(hook["id"])["url"] == "http://127.0.0.1:9/mill"
    assert client.webhooks.change(hook["id"], enabled=False)["enabled"] is False
    assert [one["id"] for one in client.webhooks.list()] == [hook["id"]]
    assert list(client.webhooks.deliveries(hook["id"])) == []
    client.webhooks.delete(hook["id"])
