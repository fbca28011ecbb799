"""Files in, jobs, results out: each call against a real service, blocking and awaited."""

import hashlib
import io
import zipfile

import pytest

from mediamill.client import InvalidInput, NotFound, TimedOut, Unauthorized


def test_upload_process_collect(client, clip, tmp_path):
    told = []
    file = client.files.upload(clip, tags=["a"], progress=lambda *one: told.append(one))
    assert (file["name"], file["size"]) == ("clip.mp4", clip.stat().st_size)
    assert told[0] == (0, file["size"])
    assert told[-1] == (file["size"], file["size"])
    step = {"operation": "extract-frames", "parameters": {"count": 3}}
    heard = []
    job = client.jobs.run(files=[file["id"]], steps=[step], progress=heard.append)
    assert job["state"] == "succeeded"
    assert heard[-1]["id"] == job["id"]
    (result,) = client.jobs.results(job["id"])
    assert result["outcome"] in ("succeeded", "reused")
    assert list(client.jobs.stream_results(job["id"])) == [result]
    (item,) = client.jobs.items(job["id"])
    assert item["name"] == "clip.mp4"
    saved = client.jobs.download(job["id"], tmp_path / "all.zip")
    with zipfile.ZipFile(saved) as archive:
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == 3
    frames = result["files"][0]["id"]
    members = list(client.files.members(frames))
    path = members[0]["path"]
    whole = b"".join(client.files.read_member(frames, path))
    assert whole.startswith(b"\xff\xd8\xff")
    assert b"".join(client.files.read_member(frames, path, 1, 3)) == whole[1:3]
    assert job["id"] in {one["id"] for one in client.jobs.list(operation="extract-frames")}
    link = client.jobs.link(job["id"])
    assert link["size"] == saved.stat().st_size
    with pytest.raises(FileExistsError):
        client.jobs.download(job["id"], tmp_path / "all.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]


def test_a_file_comes_back_byte_for_byte_and_goes(client, picture, tmp_path):
    file = client.files.upload(picture, name="one.png")
    assert client.files.upload(io.BytesIO(picture), name="two.png")["sha256"] == file["sha256"]
    saved = client.files.download(file["id"], tmp_path)
    assert (saved.name, saved.read_bytes()) == ("one.png", picture)
    assert b"".join(client.files.read(file["id"])) == picture
    assert client.files.change(file["id"], name="other.png")["name"] == "other.png"
    client.files.tag([file["id"]], add=["kept"])
    assert [one["id"] for one in client.files.list(tag="kept", sha256=file["sha256"])] == [
        file["id"]
    ]
    (known,) = client.files.check([hashlib.sha256(picture).hexdigest()])
    assert known["file"]
    assert client.files.delete(file["id"]) is None
    with pytest.raises(NotFound) as gone:
        client.files.get(file["id"])
    assert (gone.value.status, gone.value.code, gone.value.retryable) == (404, "not_found", False)
    assert file["id"] in gone.value.detail
    assert gone.value.instance
    assert client.files.restore(file["id"])["id"] == file["id"]


def test_events_end_with_the_job(client, picture):
    file = client.files.upload(picture, name="p.png")
    job = client.jobs.submit(files=[file["id"]], steps=[{"operation": "thumbnail"}])
    heard = list(client.jobs.events(job["id"]))
    assert {event.kind for event in heard} == {"job"}
    assert heard[-1].data["state"] == "succeeded"
    assert client.jobs.wait(job["id"])["state"] == "succeeded"


def test_what_is_wrong_is_told_with_its_fields(client, connect, service, picture):
    file = client.files.upload(picture, name="p.png")
    step = {"operation": "extract-frames", "parameters": {"quality": 101}}
    with pytest.raises(InvalidInput) as wrong:
        client.jobs.submit(files=[file["id"]], steps=[step])
    assert "quality" in wrong.value.errors[0]["pointer"]
    assert wrong.value.type.startswith("/problems/")
    with pytest.raises(Unauthorized):
        connect(service.server, "mmt_wrong").account.me()
    with pytest.raises(ValueError, match="no server address"):
        connect("nonsense", "")
    with pytest.raises(ValueError, match="file_id is empty"):
        client.files.get("")


def test_patience_has_an_end(client, clip):
    file = client.files.upload(clip)
    step = {"operation": "extract-frames", "parameters": {"fps": 20, "format": "png"}}
    plan = client.jobs.plan(files=[file["id"]], steps=[step])
    assert plan["items"] == 1
    job = client.jobs.submit(files=[file["id"]], steps=[step], reuse=False)
    with pytest.raises(TimedOut):
        client.jobs.wait(job["id"], timeout=0)
    client.jobs.cancel(job["id"])
    assert client.jobs.wait(job["id"])["state"] in ("cancelled", "succeeded")


def test_a_list_is_gone_through_page_by_page(client):
    tag = f"page-{id(client)}"
    for number in range(3):
        client.files.upload(f"row {number}".encode(), name=f"{number}.txt", tags=[tag])
    two = list(client.pages("/v1/files", tag=tag, limit=1))
    assert [one["name"] for one in two] == ["2.txt", "1.txt", "0.txt"]
    rows = client.files.list(tag=tag)
    assert next(rows)["name"] == "2.txt"
    rows.close()
