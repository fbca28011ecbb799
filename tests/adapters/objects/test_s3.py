"""The bucket port against real S3 servers; what is written is judged by another client."""

import os

import pytest

from mediamill.adapters.objects.opening import is_bucket, open_objects
from mediamill.adapters.objects.port import Unlisted
from mediamill.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from tests.support.buckets import KEYS, bucket_server


@pytest.fixture(scope="module", params=["ministack", "moto_server"])
def server(request, tmp_path_factory):
    with bucket_server(request.param, tmp_path_factory.mktemp("s3")) as running:
        running.client().create_bucket(Bucket="photos")
        yield running


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


async def listed(objects, folder=""):
    return [row async for page in objects.list(folder) for row in page]


async def whole(objects, *given):
    return b"".join([chunk async for chunk in objects.read(*given)])


async def pieces(*chunks, error=None):
    for chunk in chunks:
        yield chunk
    if error is not None:
        raise error


NAMES = (
    "plain.jpg",
    "with space.png",
    "ä/ö/ü.jpg",
    "per%cent",
    "a+b",
    "q?x",
    "h#h",
    "%2e%2e",
    "日本.mp4",
)


async def test_what_is_written_is_read_and_listed_with_odd_names(server):
    objects = open_objects(server.url("photos/odd folder"))
    for name in NAMES:
        await objects.write(name, pieces(name.encode()), "image/x-odd", {"sha256": "ab"})
    assert sorted(row.key for row in await listed(objects)) == sorted(NAMES)
    for name in NAMES:
        assert await whole(objects, name) == name.encode()
        theirs = server.client().get_object(Bucket="photos", Key=f"odd folder/{name}")
        assert theirs["Body"].read() == name.encode()
        assert (theirs["ContentType"], theirs["Metadata"]) == ("image/x-odd", {"sha256": "ab"})
        described = await objects.describe(name)
        assert (described.size, described.media_type) == (len(name.encode()), "image/x-odd")
        assert described.notes == {"sha256": "ab"}
    assert await objects.describe("not there") is None


async def test_pages_and_folders(server):
    client = server.client()
    count = 1005 if server.kind == "ministack" else 5  # the other one is slow at this
    for n in range(count):
        client.put_object(Bucket="photos", Key=f"many/{n:04d}", Body=b"x")
    client.put_object(Bucket="photos", Key="manyother/1", Body=b"x")
    objects = open_objects(server.url("photos/many"))
    pages = [page async for page in objects.list()]
    assert len(pages) >= count // 1000
    assert [row.key for page in pages for row in page] == [f"{n:04d}" for n in range(count)]
    assert await listed(objects, "none") == []


async def test_large_objects_go_in_parts_and_are_read_from_anywhere(server):
    data = os.urandom(20_000_001)
    objects = open_objects(server.url("photos"))
    parts = [data[at : at + 700_000] for at in range(0, len(data), 700_000)]
    await objects.write("large", pieces(*parts), "video/mp4", {})
    assert await whole(objects, "large") == data
    assert await whole(objects, "large", 19_999_990) == data[19_999_990:]
    etag = next(row.etag for row in await listed(objects) if row.key == "large")
    await objects.write("large", pieces(b"other"), "video/mp4", {})
    with pytest.raises(Conflict):
        await whole(objects, "large", 3, etag)


async def test_what_is_small_goes_with_a_checksum_that_the_server_keeps(server):
    objects = open_objects(server.url("photos"))
    await objects.write("checked", pieces(b"some", b"thing"), "x/y", {})
    client = server.client()
    head = client.head_object(Bucket="photos", Key="checked", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"]


async def test_what_breaks_off_leaves_nothing(server):
    objects = open_objects(server.url("photos"))
    chunks = [os.urandom(1 << 20)] * 20
    with pytest.raises(RuntimeError, match="boom"):
        await objects.write("broken", pieces(*chunks, error=RuntimeError("boom")), "x/y", {})
    assert await objects.describe("broken") is None
    assert not server.client().list_multipart_uploads(Bucket="photos").get("Uploads")


async def test_a_key_that_cannot_be_read_costs_its_folder_alone(server):
    client = server.client()
    for key in ("a/1", "a/b//c", "a/b/lost", "a/d/2", "z"):
        client.put_object(Bucket="photos", Key=f"bad/{key}", Body=b"x")
    rows = await listed(open_objects(server.url("photos/bad")))
    assert {row.key for row in rows if not isinstance(row, Unlisted)} >= {"a/1", "a/d/2", "z"}
    assert [row.folder for row in rows if isinstance(row, Unlisted)] == ["a/b"]


async def test_what_goes_wrong_is_said_without_the_request(server):
    with pytest.raises(NotFound):
        await listed(open_objects(server.url("nobucket")))
    with pytest.raises(NotFound):
        await whole(open_objects(server.url("photos")), "nothing")
    with pytest.raises(InvalidInput):
        await whole(open_objects(server.url("photos")), "a/../b")


async def test_wrong_and_missing_servers_and_keys(monkeypatch, tmp_path):
    with bucket_server("ministack", tmp_path) as running:
        running.client().create_bucket(Bucket="photos")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
        with pytest.raises(Forbidden) as caught:
            await listed(open_objects(running.url("photos")))
        assert "127.0.0.1" not in caught.value.message
    with pytest.raises(Unavailable):
        await listed(open_objects("s3://photos?endpoint=http://127.0.0.1:9&region=x"))


@pytest.mark.parametrize(
    "url", ["s3://", "s3://a:b@bucket/x", "s3://bucket?secret=x", "gs://bucket/x", "ftp://x/y"]
)
def test_addresses_that_are_none(url):
    assert is_bucket(url)
    with pytest.raises(InvalidInput):
        open_objects(url)
