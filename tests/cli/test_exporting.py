"""`mediamill export` with a real server process and a real bucket."""

import hashlib
import io
import json
import os
import time
import zipfile
import zlib

import httpx
import pytest

from mediamill.cli.remote.archive import Download, Item
from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.transfer.sinks import FolderSink
from tests.support.buckets import bucket_server


@pytest.fixture(scope="module")
def buckets(tmp_path_factory):
    with bucket_server("ministack", tmp_path_factory.mktemp("s3")) as running:
        running.client().create_bucket(Bucket="out")
        yield running


@pytest.fixture(scope="module")
def client(service):
    with Client(service.server, service.token) as made:
        yield made


def job_of(client, operation, *files, name="", **parameters):
    """Run a job to its end; return its id."""
    body = {"files": files, "steps": [{"operation": operation, "parameters": parameters}]}
    job = client.request("POST", "/v1/jobs", json={**body, "name": name} if name else body)
    while job["state"] not in ("succeeded", "partial"):
        job = client.get(f"/v1/jobs/{job['id']}", wait=20)
    return job["id"]


@pytest.fixture(scope="module")
def clip_id(client, clip):
    return client.put_file(clip, "clip.mp4", lambda _: None)["id"]


@pytest.fixture(scope="module")
def frames(client, clip_id):
    """A job that made frames, and what its zip holds."""
    job = job_of(client, "extract-frames", clip_id, every=0.05)
    return job, zip_of(client, job)


@pytest.fixture(scope="module")
def thumbs(client, clip_id):
    job = job_of(client, "thumbnail", clip_id, name="small ones")
    return job, zip_of(client, job)


def zip_of(client, job):
    body = client.send("GET", f"/v1/jobs/{job}/download").content
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def objects(buckets, prefix):
    client = buckets.client()
    rows = client.list_objects_v2(Bucket="out", Prefix=prefix).get("Contents", [])
    found = {row["Key"]: client.get_object(Bucket="out", Key=row["Key"]) for row in rows}
    return {key.removeprefix(prefix): body for key, body in found.items()}


def test_a_folder_gets_what_the_zip_holds_and_only_what_is_missing(signed_in, frames):
    job, expected = frames
    done = signed_in("export", job, "-o", "out")
    assert done.returncode == 0, done.stderr
    out = signed_in.folder / "out"
    assert tree(out) == expected
    assert any(name.startswith("clip/") for name in expected)
    missing, torn, *_ = sorted(name for name in expected if name.endswith(".jpg"))
    (out / missing).unlink()
    (out / torn).write_bytes(bytes(len(expected[torn])))
    before = (out / "manifest.jsonl").stat().st_mtime_ns
    again = signed_in("export", job, "-o", "out")
    assert again.returncode == 1
    assert f"{torn}: is there with other content" in again.stderr
    assert f"1 exported, {len(expected) - 2} there already, 1 failed." in again.stderr
    last = signed_in("export", job, "-o", "out", "--overwrite", "--json")
    assert last.returncode == 0
    assert [json.loads(line)["name"] for line in last.stdout.splitlines()] == [torn]
    assert tree(out) == expected
    assert (out / "manifest.jsonl").stat().st_mtime_ns == before


def test_a_killed_export_leaves_no_half_file_and_goes_on(signed_in, frames):
    job, expected = frames
    process = signed_in.start("export", job, "-o", "out")
    out = signed_in.folder / "out"
    until = time.monotonic() + 60
    while len([*out.rglob("*")]) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    found = {n: data for n, data in tree(out).items() if not n.startswith(".mediamill-")}
    assert found.items() <= expected.items()
    assert signed_in("export", job, "-o", "out").returncode == 0
    left = {n: data for n, data in tree(out).items() if not n.startswith(".mediamill-")}
    assert left == expected


def test_several_jobs_and_zips(signed_in, frames, thumbs, client):
    done = signed_in("export", frames[0], thumbs[0], "-o", "out")
    assert done.returncode == 0, done.stderr
    out = signed_in.folder / "out"
    assert tree(out / frames[0]) == frames[1]
    assert tree(out / "small ones") == thumbs[1]
    for count in ("2 exported, 0 there", "0 exported, 2 there"):
        done = signed_in("export", frames[0], thumbs[0], "-o", "zips", "--zip")
        assert count in done.stderr
    body = client.send("GET", f"/v1/jobs/{thumbs[0]}/download").content
    assert (signed_in.folder / "zips" / "small ones.zip").read_bytes() == body


def test_a_bucket_gets_them_with_types_and_digests(signed_in, frames, thumbs, buckets):
    signed_in.extra |= buckets.environment
    job, expected = frames
    place = buckets.url("out/run 1")
    done = signed_in("export", job, "-o", place)
    assert done.returncode == 0, done.stderr
    found = objects(buckets, "run 1/")
    assert {key: answer["Body"].read() for key, answer in found.items()} == expected
    picture = next(key for key in expected if key.endswith(".jpg"))
    assert found[picture]["ContentType"] == "image/jpeg"
    assert found[picture]["Metadata"]["crc32"] == f"{zlib.crc32(expected[picture]):08x}"
    client = buckets.client()
    client.delete_object(Bucket="out", Key=f"run 1/{picture}")
    client.put_object(Bucket="out", Key="run 1/manifest.jsonl", Body=b"x")
    again = signed_in("export", job, "-o", place)
    assert f"1 exported, {len(expected) - 2} there already, 1 failed." in again.stderr
    zipped = signed_in("export", thumbs[0], "-o", buckets.url("out/zips"), "--zip")
    assert zipped.returncode == 0, zipped.stderr
    assert objects(buckets, "zips/")["small ones.zip"]["ContentType"] == "application/zip"
    assert "1 there already" in signed_in(
        "export", thumbs[0], "-o", buckets.url("out/zips"), "--zip"
    ).stderr  # fmt: skip


def test_digests_of_files_are_those_of_the_manifest(client, thumbs):
    items = {item.name: item for item in Download(client, {"id": thumbs[0]}).items()}
    told = {name: item.sha256 for name, item in items.items() if item.sha256}
    assert told
    expected = thumbs[1]
    assert all(hashlib.sha256(expected[name]).hexdigest() == told[name] for name in told)


def test_what_breaks_on_the_way_is_read_on_from_there(client, frames, monkeypatch):
    """The server's answers are cut after some bytes, again and again."""
    download, real, cuts = Download(client, {"id": frames[0]}), httpx.Response.iter_bytes, []

    def cut(self, chunk_size=None):
        given = 0
        for chunk in real(self, 1000):
            yield chunk
            given += len(chunk)
            if given > 30_000:
                cuts.append(given)
                raise httpx.ReadError("cut")

    monkeypatch.setattr(httpx.Response, "iter_bytes", cut)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    items = download.items()
    read = {
        item.name: b"".join(data)
        for b in download.batches(items)
        for item, data in download.read(b)
    }
    assert read == frames[1]
    assert cuts


def test_an_unfinished_large_file_is_continued_and_a_damaged_one_is_not_shown(tmp_path):
    data = os.urandom(3 << 20)
    item = Item("deep/large.bin", len(data), zlib.crc32(data))
    sink = FolderSink(tmp_path)

    def broken():
        yield data[: 2 << 20]
        raise Failure("cut")

    with pytest.raises(Failure, match="cut"):
        sink.put(item, broken())
    assert sink.state(item) == "absent"
    assert sink.kept(item) == 2 << 20
    with pytest.raises(Failure, match="damaged"):
        sink.put(item, iter([bytes(1 << 20)]))
    assert (sink.state(item), sink.kept(item)) == ("absent", 0)
    sink.put(item, iter([data]))
    assert sink.state(item) == "same"
    assert tree(tmp_path) == {"deep/large.bin": data}


def test_a_job_that_has_not_ended_is_said(signed_in, client, clip_id):
    body = {"files": [clip_id], "steps": [{"operation": "extract-frames", "parameters": {}}]}
    job = client.request("POST", "/v1/jobs", json=body)
    done = signed_in("export", job["id"], "-o", "out")
    assert (done.returncode, "--wait" in done.stderr) in {(2, True), (0, False)}
    assert signed_in("export", job["id"], "-o", "out", "--wait").returncode == 0
