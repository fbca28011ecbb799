"""How objects are kept: encryption, storage class, places of their own; what a URL may say."""

from dataclasses import fields
from pathlib import Path

import boto3
import httpx
import pytest
from tests.handlers.conftest import Beside, Works
from tests.support.buckets import bucket_server
from tests.support.chains import CHAINED
from tests.support.rados import KMS_KEY
from tests.web.conftest import person
from tests.web.test_uploading import PNG

from mediamill.app import App
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.s3 import checksums
from mediamill.blobs.s3.options import Options
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from mediamill.web.app import create_app

DATA = b"kept" * 100
PART = 5 << 20


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """A server with a key service, two buckets and a key."""
    folder = tmp_path_factory.mktemp("keyed")
    with bucket_server("ministack", folder, services="s3,kms") as server:
        kms = boto3.client(
            "kms", endpoint_url=server.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        server.key = kms.create_key()["KeyMetadata"]["KeyId"]
        for name in ("originals", "results"):
            server.client().create_bucket(Bucket=name)
        yield server


@pytest.fixture
def keys(keyed, monkeypatch):
    for name, value in keyed.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(checksums, "PART", PART)
    return keyed


def described(server, key: str, bucket: str = "originals") -> tuple:
    """Return what the server says of how an object is kept: by another client."""
    found = server.client().head_object(Bucket=bucket, Key=key)
    key_id = found.get("SSEKMSKeyId", "").rpartition("/")[2]
    said = found.get("ServerSideEncryption", "none"), key_id
    return (*said, found.get("StorageClass", "STANDARD"))


def ways(server) -> dict[str, tuple[dict, tuple]]:
    return {
        "usual": ({}, ("AES256", "", "STANDARD")),
        "kms": (
            {"encryption": "aws:kms", "kms_key": server.key},
            ("aws:kms", server.key, "STANDARD"),
        ),
        "none": ({"encryption": "none"}, ("none", "", "STANDARD")),
        "rare": ({"storage_class": "STANDARD_IA"}, ("AES256", "", "STANDARD_IA")),
    }


@pytest.mark.parametrize("way", ["usual", "kms", "none", "rare"])
async def test_every_way_to_write_says_how_to_keep_it(keys, tmp_path, way):
    options, expected = ways(keys)[way]
    blobs = await open_blobs(keys.url(f"originals/{way}", **options))
    await blobs.put("put", DATA)
    async with blobs.upload("parts") as upload:
        await upload.write(bytes(2 * PART))
        await upload.commit()
    await blobs.copy("put", "copied")
    (tmp_path / "scratch").write_bytes(DATA)
    await blobs.adopt("adopted", tmp_path / "scratch")
    request = await blobs.presign_put("direct", seconds=60, size=len(DATA))
    async with httpx.AsyncClient(trust_env=False) as client:
        sent = await client.put(request.url, content=DATA, headers=dict(request.headers))
        assert sent.status_code == 200, sent.text
    id_ = await blobs.begin_parts("direct-parts")
    request = await blobs.presign_part("direct-parts", id_, 1, seconds=60, size=len(DATA))
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.put(request.url, content=DATA, headers=dict(request.headers))
    await blobs.complete_parts("direct-parts", id_, await blobs.parts("direct-parts", id_))
    for name in ("put", "parts", "copied", "adopted", "direct", "direct-parts"):
        assert described(keys, f"{way}/{name}") == expected, name
        assert await blobs.get(name) == (DATA if name != "parts" else bytes(2 * PART))
    await blobs.close()


@pytest.fixture
async def ceph(strict, monkeypatch):
    """A store on Ceph that keeps with a key of its own."""
    for name, value in strict.environment.items():
        monkeypatch.setenv(name, value)
    strict.client().create_bucket(Bucket="keyed")
    options = f"region=us-east-1&endpoint={strict.endpoint}&checksum=when_required"
    blobs = await open_blobs(f"s3://keyed/x?{options}&encryption=aws:kms&kms_key={KMS_KEY}")
    yield blobs
    await blobs.close()


async def test_a_direct_put_cannot_leave_the_encryption_out(ceph):
    request = await ceph.presign_put("k", seconds=60, size=len(DATA))
    assert request.headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    headers = {k: v for k, v in request.headers.items() if "encryption" not in k}
    async with httpx.AsyncClient(trust_env=False) as client:
        refused = await client.put(request.url, content=DATA, headers=headers)
        taken = await client.put(request.url, content=DATA, headers=dict(request.headers))
    assert (refused.status_code, taken.status_code) == (403, 200)


async def test_ceph_keeps_with_a_key_and_copies_by_reading(ceph, strict):
    """Ceph copies nothing that is encrypted, so the bytes pass here."""
    await ceph.put("k", DATA)
    await ceph.copy("k", "copied")
    for name in ("k", "copied"):
        found = strict.client().head_object(Bucket="keyed", Key=f"x/{name}")
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", KMS_KEY)
        assert await ceph.get(name) == DATA


async def test_ceph_puts_together_what_it_keeps_with_a_key(ceph):
    data = bytes(range(256)) * (6 << 12)
    await ceph.put("a", data)
    await ceph.compose(each(("a", len(data)), ("a", len(data))), "whole")
    assert await ceph.get("whole") == data * 2
    assert await ceph.sweep(1 << 50) == 0


async def each(*sources):
    for source in sources:
        yield source


async def test_originals_and_results_have_buckets_of_their_own(keys, tmp_path):
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, poll_seconds=0.2,
        blobs_url=keys.url("originals/in", encryption="aws:kms", kms_key=keys.key),
        results_url=keys.url("results/out", storage_class="STANDARD_IA"),
    )  # fmt: skip
    async with (
        await App.open(settings, CHAINED) as app,
        person(create_app(app), "ann") as ann,
    ):
        beside = Beside(app)
        await beside.resume()
        try:
            works = Works(app, beside)
            ids = []
            for n in range(2):
                given = {"params": {"name": f"{n}.png"}, "content": PNG + bytes([n])}
                ids.append((await ann.client.post("/v1/files", **given)).json()["id"])
            for _ in range(2):  # the second takes over what the first made
                body = {"files": ids, "steps": [{"operation": "copied"}]}
                job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
                done = await ann.client.get(f"/v1/jobs/{job}", params={"wait": 60})
                assert done.json()["state"] == "succeeded", done.text
            assert done.json()["counts"]["reused"] == 2
            whole = await ann.client.get(f"/v1/jobs/{job}/download")
            assert len(whole.content) == done.json()["download"]["size"]
            made = await app.repositories.results.of_stage(job, 0)
            again = await works.app.results.get(made.rows[0].files[0].blob)
            assert again in (PNG + b"\0", PNG + b"\1")
        finally:
            await beside.pause()
    for bucket, folder, kept in (
        ("originals", "in", ("aws:kms", keys.key, "STANDARD")),
        ("results", "out", ("AES256", "", "STANDARD_IA")),
    ):
        listed = keys.client().list_objects_v2(Bucket=bucket, Prefix=f"{folder}/")["Contents"]
        nouns = {row["Key"].split("/")[1] for row in listed}
        assert nouns == {"files", "thumbnails"} if bucket == "originals" else "results" in nouns
        assert {described(keys, row["Key"], bucket) for row in listed} == {kept}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://", "write s3://bucket"),
        ("s3://b?colour=red", "there is no colour; known: allow_plaintext, checksum, encryption"),
        ("s3://me:secret@b/x", "write s3://bucket"),
        ("s3://b?checksum=md4", "checksum is one of sha256, crc32, when_required, none"),
        ("s3://b?encryption=rot13", "encryption is one of"),
        ("s3://b?kms_key=k", "kms_key goes with encryption=aws:kms"),
        ("s3://b?restore_days=0", "restore_days is a number"),
        ("s3://b?restore_days=ten", "restore_days is a number"),
        ("s3://b?restore_tier=Fast", "restore_tier is one of"),
        ("s3://b?style=baroque", "style is one of path, virtual"),
        ("s3://b?endpoint=minio:9000", "endpoint is an address"),
    ],
)
async def test_a_wrong_parameter_is_named(url, said):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_RESULTS_URL") as caught:
        await open_blobs(url, setting="MEDIAMILL_RESULTS_URL")
    assert said in caught.value.message
    assert "secret" not in caught.value.message


TOLD = {
    "bucket": "There is no such bucket",
    "secret": "refuses our credentials",
    "nobody": "cannot be reached",
    "none": "no credentials",
}


@pytest.mark.parametrize("wrong", TOLD)
async def test_a_bucket_that_cannot_be_used_is_told(strict, tmp_path, monkeypatch, wrong):
    for name, value in strict.environment.items():
        monkeypatch.setenv(name, value)
    url = strict.url("nothing")
    if wrong == "secret":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    if wrong == "nobody":
        url = url.replace(str(strict.port), "9")
        monkeypatch.setattr("mediamill.blobs.s3.bucket.ATTEMPTS", 1)
    if wrong == "none":
        for name in strict.environment:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BLOBS_URL") as caught:
        await open_blobs(url)
    assert TOLD[wrong] in caught.value.message


def test_every_option_is_told():
    told = (Path(__file__).parents[2] / "docs/how-to/s3.md").read_text()
    for field in fields(Options):
        if field.name not in ("bucket", "folder"):
            default = f" | `{field.default}` |" if field.default else " | "
            assert f"\n| `{field.name}`{default}" in told, field.name
