"""Files that do not pass a gateway go to and come from the bucket."""

import asyncio
import hashlib
import io
import os

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from mediamill.app import App
from mediamill.aws import payloads
from mediamill.aws.payloads import MOST
from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.failures import Refused
from mediamill.cli.transfer.putting import put
from mediamill.core.settings import Settings
from mediamill.engine.scheduler import Scheduler
from mediamill.store.port import Put
from mediamill.store.repositories.units import Unit
from mediamill.web.app import create_app
from tests.aws.behind import behind, front, through
from tests.support.places import Place
from tests.support.serving import served, working
from tests.web.conftest import person

FORM = "rest"
TUS = {"tus-resumable": "1.0.0"}
BUCKET = Place(blobs="s3")
pytestmark = [pytest.mark.places(BUCKET), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mill(servers, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(BUCKET).items():
            patch.setenv(name, value)
        home = tmp_path_factory.mktemp("past") / "home"
        async with await App.open(Settings(home=home, slots=1, min_free_bytes=0)) as app:
            yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(mill):
    async with person(create_app(mill), "ann") as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(mill):
    return create_app(mill)


async def test_what_is_larger_is_read_at_the_bucket(web, ann):
    data = os.urandom(MOST + 1)
    file = (await ann.client.post("/v1/files?name=large.bin", content=data)).json()["id"]
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client:
        place = f"/v1/files/{file}/content"
        there = await client.get(place)
        assert there.status_code == 307
        assert (await client.get(place, params={"direct": False})).status_code == 413
        part = await client.get(place, headers={"range": "bytes=1-9"})
        assert (part.status_code, part.content) == (206, data[1:10])
        link = (await client.post(f"/v1/files/{file}/link")).json()["url"]
        assert (await client.get(link)).status_code == 307
    async with httpx.AsyncClient(trust_env=False) as other:
        got = await other.get(there.headers["location"])
    assert got.content == data
    assert got.headers["content-disposition"].startswith("attachment")


async def test_what_is_announced_as_larger_is_refused_with_an_upload(web, mill, ann):
    data = os.urandom(MOST + 1)
    headers = {"content-length": str(len(data)), "content-type": "video/mp4",
               "x-content-sha256": hashlib.sha256(data).hexdigest()}  # fmt: skip
    async with (
        behind(FORM, web, authorization=f"Bearer {ann.token}") as client,
        httpx.AsyncClient(trust_env=False) as other,
        working(mill),
    ):
        told = await client.post("/v1/files?name=clip.bin&tags=a", content=b"", headers=headers)
        assert (told.status_code, told.json()["code"]) == (413, "body_too_large")
        upload = told.json()["details"]["upload"]
        assert (upload["name"], upload["size"], upload["part_count"]) == ("clip.bin", len(data), 1)
        request = upload["parts"]["data"][0]["request"]
        sent = await other.request(
            request["method"], request["url"], headers=request["headers"], content=data
        )
        assert sent.is_success, sent.text
        done = await client.post(upload["links"]["complete"], params={"wait": 20})
        assert (done.json()["state"], done.json()["tags"]) == ("ready", ["a"])


async def test_who_is_refused_again_takes_room_once(web, ann):
    headers = {"content-length": str(MOST + 1), "content-type": "video/mp4"}
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client:

        async def refused(name: str) -> str:
            told = await client.post(f"/v1/files?name={name}", content=b"", headers=headers)
            assert told.status_code == 413
            return told.json()["details"]["upload"]["id"]

        async def used() -> int:
            return (await client.get("/v1/usage")).json()["bytes"]

        before = await used()
        first, *others = await asyncio.gather(*(refused("again.bin") for _ in range(4)))
        assert set(others) == {first}
        assert await used() == before + MOST + 1
        assert await refused("other.bin") != first
        assert (await client.delete(f"/v1/uploads/{first}", headers=TUS)).status_code == 204
        assert await refused("again.bin") != first, "that one is over"
        assert await used() == before + 2 * (MOST + 1)


@pytest.mark.parametrize("size", [6 << 20, pytest.param(50 << 20, marks=pytest.mark.soak)])
async def test_the_command_line_sends_what_is_larger_past_it(web, mill, ann, tmp_path, size):
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(size))
    async with served(front(FORM, through(web))) as port, working(mill):
        with Client(f"http://127.0.0.1:{port}/prod", ann.token) as client:
            row = await asyncio.to_thread(put, client, path, lambda _: None)
            assert (row["size"], row["state"]) == (size, "ready")
            target = tmp_path / "back"
            place = f"/v1/files/{row['id']}/content"
            await asyncio.to_thread(client.download, place, target, lambda _: lambda _: None)
    assert target.read_bytes() == path.read_bytes()


async def test_the_command_line_sends_parts_by_tus_under_a_stage(web, mill, ann, tmp_path):
    """Where the bucket cannot be reached; the addresses of uploads have the stage before them."""
    path = tmp_path / "some.bin"
    path.write_bytes(os.urandom(2 * MOST))
    async with served(front(FORM, through(web))) as port, working(mill):
        with Client(f"http://127.0.0.1:{port}/prod", ann.token) as client:
            assert await asyncio.to_thread(client.most_at_once) == MOST
            client.direct = False
            row = await asyncio.to_thread(put, client, path, lambda _: None)
    assert (row["size"], row["state"]) == (2 * MOST, "ready")


@pytest_asyncio.fixture(loop_scope="module")
async def job(mill, ann, monkeypatch):
    """An ended job whose download is larger than what passes."""
    monkeypatch.setattr(payloads, "MOST", 20_000)
    made = io.BytesIO()
    Image.effect_noise((200, 200), 50).save(made, "PNG")
    file = (await ann.client.post("/v1/files?name=a.png", content=made.getvalue())).json()["id"]
    said = {"files": [file], "steps": [{"operation": "convert", "parameters": {"format": "png"}}]}
    said |= {"reuse": False, "name": "noise"}
    async with working(mill):
        begun = await ann.client.post("/v1/jobs", json=said)
        assert begun.status_code == 202, begun.text
        place = f"/v1/jobs/{begun.json()['id']}"
        job = (await ann.client.get(place, params={"wait": 60})).json()
    assert job["state"] == "succeeded", job
    assert job["download"]["size"] > 20_000
    return place


async def fetched(client, place: str) -> httpx.Response:
    """Ask for a download until it is put together, and read it at the bucket."""
    async with httpx.AsyncClient(trust_env=False) as other:
        while (answer := await client.get(place)).status_code == 503:
            assert answer.json()["code"] == "packing"
            assert int(answer.headers["retry-after"]) >= 1
            await asyncio.sleep(0.1)
        assert answer.status_code == 307, answer.text
        return await other.get(answer.headers["location"])


async def objects(mill, place: str) -> list[str]:
    return [
        blob.key
        async for blob in mill.results.list(f"layouts/{place.rpartition('/')[2]}/")
        if blob.key.endswith("-zip")
    ]


async def left_to_workers(mill) -> None:
    """Hand over what a function would have taken."""
    unit = await Scheduler(mill.store, 60_000).claim_next(["transfer"], "function")
    await mill.repositories.units.move(unit, "long", "too long for a function", credit=0.0)


async def test_a_large_download_is_put_together_and_read_at_the_bucket(web, mill, ann, job):
    place = f"{job}/download"
    whole = await ann.client.get(place)
    assert whole.status_code == 200, "without a gateway it is put together as it is sent"
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client:
        waiting = await client.head(place)
        assert (waiting.status_code, await objects(mill, job)) == (503, [])
        await left_to_workers(mill)
        said = (await client.get(place)).json()
        assert (said["code"], "waits for a worker" in said["detail"]) == ("packing", True), said
        async with working(mill):
            got = await fetched(client, place)
        assert got.content == whole.content
        assert 'filename="noise.zip"' in got.headers["content-disposition"]
        assert (await client.head(place)).status_code == 307
        assert len(await objects(mill, job)) == 1
        part = await client.get(place, headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        link = (await client.post(f"{job}/link")).json()["url"]
        assert (await client.get(link)).status_code == 307


async def test_it_goes_after_a_day_and_is_made_again(web, mill, ann, job):
    place = f"{job}/download"
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client, working(mill):
        await fetched(client, place)
        (key,) = await objects(mill, job)
        group = f"pack:{key.removesuffix('-zip')}-layout"
        async with asyncio.timeout(60):
            unit = await mill.store.get(Unit, group, 0)
            while "until" not in unit.payload or unit.state == "leased":  # who has it writes again
                await asyncio.sleep(0.05)
                unit = await mill.store.get(Unit, group, 0)
            over = unit.evolve(payload={**unit.payload, "until": 1}).opened(unit.created)
            await mill.store.transact(Put(over))
            await mill.bell.ring("work:transfer")
            while await objects(mill, job):
                await asyncio.sleep(0.05)
            while await mill.store.get(Unit, group, 0) is not None:
                await asyncio.sleep(0.05)
        assert (await fetched(client, place)).status_code == 200


async def test_it_goes_with_the_job(web, mill, ann, job):
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client, working(mill):
        await fetched(client, f"{job}/download")
        assert (await client.delete(job, params={"now": True})).status_code == 204
        async with asyncio.timeout(60):
            while await objects(mill, job):
                await asyncio.sleep(0.05)


async def test_the_command_line_waits_for_it(web, mill, ann, job, tmp_path):
    """But not for a worker, which nobody may ever start: it says that one is needed."""
    whole, place = await ann.client.get(f"{job}/download"), f"{job}/download"
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as other:
        await other.head(place)
    await left_to_workers(mill)
    async with served(front(FORM, through(web))) as port:
        with Client(f"http://127.0.0.1:{port}/prod", ann.token) as client:

            def download(name):
                return client.download(place, tmp_path / name, lambda _: lambda _: None)

            with pytest.raises(Refused, match="waits for a worker"):
                await asyncio.to_thread(download, "none")
            async with working(mill):
                got = await asyncio.to_thread(download, "zip")
    assert got == "noise.zip"
    assert (tmp_path / "zip").read_bytes() == whole.content
