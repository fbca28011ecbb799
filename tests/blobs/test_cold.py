"""Originals in cold storage: they are asked for, waited for, and work goes on by itself."""

import asyncio
import io
from contextlib import closing
from dataclasses import replace

import pytest
from PIL import Image
from tests.handlers.conftest import Beside, Works
from tests.support.chains import CHAINED
from tests.web.conftest import person

from mediamill.app import App
from mediamill.backup.index import Index
from mediamill.backup.keeping import Keeping
from mediamill.backup.objects import Objects
from mediamill.backup.vault import Vault
from mediamill.blobs.memory import MemoryBlobs
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.s3 import cold
from mediamill.blobs.s3.answers import meaning
from mediamill.core.errors import Restoring
from mediamill.core.settings import Settings
from mediamill.store.memory import MemoryStore
from mediamill.web.app import create_app

DATA = b"cold" * 1000


@pytest.fixture(scope="session")
def frozen(moto):
    """A server that has cold storage, with two buckets."""
    for name in ("cold", "warm"):
        moto.client().create_bucket(Bucket=name)
    return moto


@pytest.fixture
def keys(frozen, monkeypatch):
    for name, value in frozen.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(cold.RETRY_SECONDS, "Standard", 2)
    return frozen


def freeze(server, key: str, storage_class: str = "GLACIER") -> None:
    """Move an object to cold storage, as a lifecycle rule does."""
    client = server.client()
    data = client.get_object(Bucket="cold", Key=key)["Body"].read()
    client.put_object(Bucket="cold", Key=key, Body=data, StorageClass=storage_class)


@pytest.fixture
async def blobs(keys):
    blobs = await open_blobs(keys.url("cold/here", restore_days=3))
    yield blobs
    await blobs.close()


@pytest.mark.parametrize("kind", ["GLACIER", "DEEP_ARCHIVE"])
async def test_reading_asks_for_the_return(blobs, keys, kind):
    await blobs.put(f"files/{kind}", DATA)
    freeze(keys, f"here/files/{kind}", kind)
    with pytest.raises(Restoring) as caught:
        await blobs.get(f"files/{kind}")
    assert caught.value.retry_after == 2
    found = keys.client().head_object(Bucket="cold", Key=f"here/files/{kind}")
    assert "expiry-date" in found["Restore"]
    assert await blobs.get(f"files/{kind}") == DATA  # moto restores at once


@pytest.mark.parametrize("way", ["copy", "range", "link", "compose"])
async def test_every_way_to_the_bytes_asks_for_the_return(blobs, keys, way):
    async def sources():
        yield way, len(DATA)

    await blobs.put(way, DATA)
    freeze(keys, f"here/{way}")
    asked = {
        "copy": lambda: blobs.copy(way, "other"),
        "range": lambda: anext(blobs.read(way, 5, 9)),
        "link": lambda: blobs.presign_get(way, seconds=9, filename="a", media_type="a/b"),
        "compose": lambda: blobs.compose(sources(), "other"),
    }[way]
    with pytest.raises(Restoring):
        await asked()
    await asked()


async def test_a_return_is_asked_for_once(servers, monkeypatch):
    """Ministack's cold storage never ends a return."""
    light = servers.buckets
    for name, value in light.environment.items():
        monkeypatch.setenv(name, value)
    blobs = await open_blobs(light.url("tests/never"))
    client = light.client()
    client.put_object(Bucket="tests", Key="never/k", Body=DATA, StorageClass="GLACIER")
    for _ in range(2):
        with pytest.raises(Restoring):
            await blobs.get("k")
    found = client.head_object(Bucket="tests", Key="never/k")
    assert found["Restore"] == 'ongoing-request="true"'
    await blobs.close()


@pytest.mark.parametrize("server", ["light", "moto"])
async def test_a_listing_says_what_is_cold(server, request, monkeypatch):
    """So a backup leaves it alone: reading asks for its return. Ceph has no classes of Amazon's."""
    running = request.getfixturevalue(server)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    client, bucket = running.client(), f"listed-{server}"
    client.create_bucket(Bucket=bucket)
    for kind in ("STANDARD", "STANDARD_IA", "GLACIER", "DEEP_ARCHIVE"):
        client.put_object(Bucket=bucket, Key=f"b/files/{kind}", Body=DATA, StorageClass=kind)
    blobs, vault = await open_blobs(running.url(f"{bucket}/b")), Vault(MemoryBlobs())
    asleep = {"files/GLACIER", "files/DEEP_ARCHIVE"}
    assert {info.key async for info in blobs.list("") if info.cold} == asleep
    with closing(Index()) as index:
        objects = Objects(MemoryStore(), index, Keeping(vault, index, again=False))
        await objects.take(blobs)
        assert await objects.troubles() == {"missing": [], "damaged": [], "cold": sorted(asleep)}
        assert index.amount() == (2, 2 * len(DATA))
    for key in asleep:
        assert "Restore" not in client.head_object(Bucket=bucket, Key=f"b/{key}"), "nobody asked"
    await blobs.close()


@pytest.fixture
async def works(tmp_path, keys):
    """A service whose originals lie in a bucket of their own, with its worker."""
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, poll_seconds=0.2,
        blobs_url=keys.url("cold"), results_url=keys.url("warm/results"),
    )  # fmt: skip
    async with await App.open(settings, CHAINED) as app:
        beside = Beside(app)
        await beside.resume()
        yield Works(app, beside)
        await beside.pause()


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "PNG")
    return out.getvalue()


async def test_a_job_waits_for_cold_inputs_and_goes_on(works, keys, monkeypatch):
    ids = [await works.upload(f"{n}.png", picture() + bytes([n])) for n in range(3)]
    await works.run(ids[:1], "copied")  # the worker is at it, the thumbnails are drawn
    asked: list[str] = []
    ask = cold._ask

    async def noted(bucket, key, storage_class):
        """Let the return take a while: it is asked for when the second job is seen waiting."""
        asked.append(key)

    monkeypatch.setattr(cold, "_ask", noted)
    for file in ids[:2]:
        freeze(keys, f"files/{file}")
    job = await works.submit(ids, "copied", reuse=False)
    while True:
        progress = await works.app.jobs.progress(job)
        if progress.restoring == 2 and progress.succeeded == 1:
            break
        await asyncio.sleep(0.05)
    assert {key for key in asked if key.startswith("files/")} >= {f"files/{i}" for i in ids[:2]}
    units = [unit async for unit in works.app.repositories.units.walk_group(job.id, 0)]
    assert [unit.attempts for unit in units] == [0]
    assert not units[0].strikes
    monkeypatch.setattr(cold, "_ask", ask)
    job = await works.ended(job)
    assert (job.state, job.counts.succeeded) == ("succeeded", 3)
    units = [unit async for unit in works.app.repositories.units.walk_group(job.id, 0)]
    assert sum(unit.attempts for unit in units) == 0


async def test_a_download_says_when_to_come_back(works, keys):
    await works.worker.pause()  # its thumbnail would ask for the return first
    async with person(create_app(works.app), "ann") as ann:
        sent = await ann.client.post("/v1/files", params={"name": "a.png"}, content=picture())
        file = sent.json()["id"]
        freeze(keys, f"files/{file}")
        answer = await ann.client.get(f"/v1/files/{file}/content")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json()["code"] == "restoring"
        again = await ann.client.get(f"/v1/files/{file}/content")
        assert again.content == picture()
    await works.worker.resume()


async def test_what_is_not_to_be_had_at_once_is_asked_for_as_usual(blobs, keys, monkeypatch):
    """Amazon has no room for expedited returns at times."""
    await blobs.put("k", DATA)
    freeze(keys, "here/k")
    real, tiers = blobs._bucket.ask, []

    async def ask(operation, key, **said):
        if operation == "restore_object":
            tiers.append(said["RestoreRequest"]["GlacierJobParameters"]["Tier"])
            if tiers[-1] == "Expedited":
                raise meaning("GlacierExpeditedRetrievalNotAvailable", key)
        return await real(operation, key, **said)

    monkeypatch.setattr(blobs._bucket, "ask", ask)
    monkeypatch.setattr(
        blobs._bucket, "options", replace(blobs._bucket.options, restore_tier="Expedited")
    )
    with pytest.raises(Restoring):
        await blobs.get("k")
    assert tiers == ["Expedited", "Standard"]
    assert await blobs.get("k") == DATA
