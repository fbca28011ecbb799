"""`mediamill import` with a real server process, real buckets, and a source of web addresses."""

import hashlib
import json
import os
import time

import pytest

from tests.cli.conftest import Commands, serving
from tests.cli.test_pushing import cut_by
from tests.handlers.files.test_fetch import png
from tests.support.buckets import bucket_server
from tests.support.sources import file, fixed, head, source_in_thread


@pytest.fixture(scope="module")
def buckets(tmp_path_factory):
    with bucket_server("ministack", tmp_path_factory.mktemp("s3")) as running:
        running.client().create_bucket(Bucket="photos")
        yield running


@pytest.fixture(scope="module")
def allowing(tmp_path_factory):
    """A service that may fetch from this machine."""
    folder = tmp_path_factory.mktemp("allowing")
    extra = {"MEDIAMILL_MIN_FREE_BYTES": "0", "MEDIAMILL_FETCH_ALLOW": "127.0.0.1:*"}
    commands = Commands(folder / "home", folder, {**extra, "MEDIAMILL_POLL_SECONDS": "0.2"})
    with serving(commands) as kept:
        yield kept


@pytest.fixture
def importing(mediamill, allowing, buckets):
    server = {"MEDIAMILL_SERVER": allowing.server, "MEDIAMILL_TOKEN": allowing.token}
    mediamill.extra = {**server, **buckets.environment}
    return mediamill


def rows_of(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_web_addresses_are_fetched_by_the_server(importing):
    data = png(200_000)
    moved = fixed(head("302 Found", Location="http://127.0.0.1:1/x", Content_Length=0))
    with source_in_thread(a_png=file(data), moved=moved) as outer:
        addresses = [outer.url("/a.png?key=secret"), outer.url("/moved"), "http://10.0.0.1/x"]
        done = importing("import", *addresses, "--wait", "--tag", "web", "--json")
    assert done.returncode == 1
    (row,) = rows_of(done)
    assert (row["state"], row["name"], row["tags"]) == ("ready", "a.png", ["web"])
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert row["source"] == "import"
    assert row["lineage"] == {"origin": outer.url("/a.png")}
    assert "leads on to http://127.0.0.1:1/x" in done.stderr
    assert "not public" in done.stderr
    assert "1 imported, 0 there already, 2 failed." in done.stderr


def test_without_wait_they_are_listed_and_on_their_way(importing):
    with source_in_thread(slow_png=file(png(100_000), pause=0.3, step=50_000)) as outer:
        done = importing("import", outer.url("/slow.png"), "--json")
        assert done.returncode == 0, done.stderr
        (row,) = rows_of(done)
        assert row["state"] == "receiving"
        until = time.monotonic() + 60
        show = ("files", "show", row["id"], "--json")
        while json.loads(importing(*show).stdout)["state"] != "ready":
            assert time.monotonic() < until
            time.sleep(0.2)


def test_a_bucket_comes_in_once(importing, buckets):
    client, pictures = buckets.client(), {f"in/{n}/pic {n}.png": png(n * 1000) for n in range(6)}
    for key, data in pictures.items():
        client.put_object(Bucket="photos", Key=key, Body=data)
    client.put_object(Bucket="photos", Key="in/folder/", Body=b"")
    client.put_object(Bucket="photos", Key="in/broken.png", Body=b"\x89PNG\r\n\x1a\nnothing")
    done = importing("import", buckets.url("photos/in"), "--tag", "s3", "--json")
    assert done.returncode == 1, done.stderr
    rows = {row["from"]: row for row in rows_of(done)}
    assert {f"in/{key}" for key in rows} == set(pictures)
    for key, data in pictures.items():
        assert rows[key.removeprefix("in/")]["sha256"] == hashlib.sha256(data).hexdigest()
    assert {row["name"] for row in rows.values()} == {f"pic {n}.png" for n in range(6)}
    assert all(row["tags"] == ["s3"] for row in rows.values())
    assert done.stderr.count("broken.png:") == 1
    assert "6 imported, 0 there already, 1 failed." in done.stderr
    changed = png(77)
    client.put_object(Bucket="photos", Key="in/3/pic 3.png", Body=changed)
    client.delete_object(Bucket="photos", Key="in/broken.png")
    assert importing("files", "delete", "--now", rows["5/pic 5.png"]["id"]).returncode == 0
    again = importing("import", buckets.url("photos/in"), "--json", "--tag", "later")
    assert again.returncode == 0, again.stderr
    kept = importing("files", "show", rows["0/pic 0.png"]["id"], "--json")
    assert json.loads(kept.stdout)["tags"] == ["s3", "later"]
    assert {row["from"] for row in rows_of(again)} == {"3/pic 3.png", "5/pic 5.png"}
    assert "2 imported, 4 there already, 0 failed." in again.stderr


def test_a_large_object_goes_on_where_a_killed_command_was(importing, allowing, buckets):
    data = png(70_000_000)
    buckets.client().put_object(Bucket="photos", Key="large/big.png", Body=data)
    memory = importing.home / "imports.db"
    until = time.monotonic() + 60
    with cut_by(allowing, [24 << 20], held=True) as (cutter, address):
        command = ("import", buckets.url("photos/large"), "--server", address)
        process = importing.start(*command)
        while not (memory.exists() and b"/v1/uploads/" in everything(memory)):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
        process.communicate()
        cutter.cuts, cutter.held = [], False
        done = importing(*command, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(done)
    assert (row["size"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def everything(base):
    return b"".join(path.read_bytes() for path in base.parent.glob("imports.db*"))


def test_folders_and_files_too(importing):
    (importing.folder / "pics").mkdir()
    (importing.folder / "pics" / "a.png").write_bytes(png(10))
    (importing.folder / "b.png").write_bytes(png(20))
    done = importing("import", "pics", "b.png")
    assert done.returncode == 0, done.stderr
    assert "2 imported, 0 there already, 0 failed." in done.stderr
    again = importing("import", "pics")
    assert "0 imported, 1 there already, 0 failed." in again.stderr


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.png", "neither an address nor a file"),
        ("gs://bucket/x", "no kind of bucket called “gs”"),
        ("s3://photos?wrong=1", "anonymous, endpoint, region"),
    ],
)
def test_what_is_no_source_is_said(importing, source, said):
    done = importing("import", source)
    assert done.returncode == 2
    assert said in done.stderr


def test_wrong_credentials_and_missing_buckets_are_said(importing, buckets):
    assert "There is no" in importing("import", buckets.url("nobucket")).stderr
    importing.extra["AWS_ACCESS_KEY_ID"] = "wrong"
    done = importing("import", buckets.url("photos"))
    assert done.returncode == 2
    assert "credentials" in done.stderr
    assert os.environ.get("AWS_ACCESS_KEY_ID", "test") not in done.stdout
