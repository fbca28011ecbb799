"""What each user keeps is counted to the byte, and a quota is never exceeded by what comes in."""

import asyncio
import io
import zipfile

import pytest

from mediamill.app import App
from mediamill.blobs.port import Digest
from mediamill.core.errors import BrokenMedia, QuotaExceeded
from mediamill.core.settings import Settings
from mediamill.store.port import Update
from mediamill.store.repositories.usage import Usage
from mediamill.web.app import create_app
from tests.faults import charges
from tests.support.chains import CHAINED
from tests.support.places import everywhere
from tests.support.serving import working
from tests.web.test_files import person, principal
from tests.web.test_uploading import PNG

ROOM = 200_000
TUS = {"tus-resumable": "1.0.0"}


@pytest.fixture
async def mill(tmp_path):
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, poll_seconds=0.1, quota_bytes=ROOM
    )
    async with await App.open(settings, CHAINED) as app:
        yield app


@pytest.fixture
async def ann(mill):
    async with person(mill, create_app(mill), "ann") as found:
        yield found


def text(size: int) -> bytes:
    return b"x" * size


async def kept(ann) -> int:
    answer = await ann.client.get("/v1/usage")
    assert answer.json()["quota_bytes"] == ROOM
    return answer.json()["bytes"]


async def send(ann, size: int, name: str = "a.txt"):
    return await ann.client.post(f"/v1/files?name={name}", content=text(size))


async def picture(ann) -> str:
    answer = await ann.client.post("/v1/files?name=a.png", content=PNG)
    return str(answer.json()["id"])


async def until(ann, size: int) -> None:
    """Wait until so much is kept."""
    async with asyncio.timeout(60):
        while await kept(ann) != size:
            await asyncio.sleep(0.05)


async def submit(ann, files, operation: str, **parameters):
    steps = [{"operation": operation, "parameters": parameters}]
    return await ann.client.post("/v1/jobs", json={"files": files, "steps": steps})


@everywhere
async def test_fifty_uploads_at_once_into_room_for_one(mill, ann):
    """S18; by every way in whose sender waits."""
    size = ROOM // 2 + 1

    async def chunks():
        for _ in range(10):
            yield text(size)[: size // 10 + 1]
            await asyncio.sleep(0)

    ways = [
        lambda: send(ann, size),
        lambda: ann.client.post("/v1/files?name=b.txt", content=chunks()),
        lambda: ann.client.post("/v1/files", files={"file": ("d.txt", text(size))}),
        lambda: ann.client.post("/v1/uploads", headers={**TUS, "upload-length": str(size)}),
    ]
    answers = await asyncio.gather(*(ways[n % len(ways)]() for n in range(50)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [429] * 49
    assert all(a.json()["code"] == "quota_exceeded" for a in answers if a.status_code == 429)
    assert ROOM // 2 < await kept(ann) <= size + 20
    assert charges.usage(mill) == []
    files = [file async for file in mill.blobs.list("files/")]
    assert len(files) <= 1


async def test_a_file_counts_until_it_is_purged(mill, ann):
    file = (await send(ann, 1000)).json()["id"]
    await send(ann, 500)
    assert await kept(ann) == 1500
    await ann.client.delete(f"/v1/files/{file}")
    assert await kept(ann) == 1500
    await ann.client.delete("/v1/trash")
    async with working(mill):
        await until(ann, 500)
    assert charges.usage(mill) == []


async def test_a_refused_upload_leaves_nothing(mill, ann):
    await send(ann, ROOM - 10)
    refused = await send(ann, 11)
    assert refused.status_code == 429
    told = refused.json()
    used = {"quota": "bytes", "used": ROOM - 10, "limit": ROOM, "needed": 11}
    assert told["details"] == used
    assert "empty the trash" in told["detail"]
    assert (await send(ann, 10)).status_code == 201
    assert await kept(ann) == ROOM
    assert len([blob async for blob in mill.blobs.list("files/")]) == 2


async def test_a_resumable_upload_takes_its_room_when_it_begins(mill, ann):
    begun = await ann.client.post("/v1/uploads", headers={**TUS, "upload-length": "5000"})
    place = begun.headers["location"]
    assert await kept(ann) == 5000
    said = {**TUS, "upload-offset": "0", "content-type": "application/offset+octet-stream"}
    assert (await ann.client.patch(place, headers=said, content=text(5000))).status_code == 204
    assert await kept(ann) == 5000
    assert charges.usage(mill) == []
    other = await ann.client.post("/v1/uploads", headers={**TUS, "upload-length": "7000"})
    assert await kept(ann) == 12_000
    await ann.client.delete(other.headers["location"], headers=TUS)
    assert await kept(ann) == 5000


async def test_an_upload_of_unknown_length_is_charged_as_it_comes(mill, ann):
    begun = await ann.client.post("/v1/uploads", headers={**TUS, "upload-defer-length": "1"})
    place, half = begun.headers["location"], ROOM // 2
    said = {**TUS, "content-type": "application/offset+octet-stream"}
    first = await ann.client.patch(
        place, headers={**said, "upload-offset": "0"}, content=text(half)
    )
    assert first.status_code == 204
    assert await kept(ann) == half
    await send(ann, half - 100)
    full = await ann.client.patch(
        place, headers={**said, "upload-offset": str(half)}, content=text(200)
    )
    assert full.status_code == 429
    assert await kept(ann) == ROOM - 100
    longer = {**said, "upload-offset": str(half), "upload-length": str(half + 101)}
    assert (await ann.client.patch(place, headers=longer, content=b"")).status_code == 429
    fits = {**longer, "upload-length": str(half + 100)}
    assert (await ann.client.patch(place, headers=fits, content=text(100))).status_code == 204
    assert await kept(ann) == ROOM
    assert charges.usage(mill) == []
    assert len([blob async for blob in mill.blobs.list("uploads/")]) == 0


async def test_an_import_takes_what_is_announced(mill, ann):
    who = principal(ann)
    file = await mill.arrivals.begin(who, "a.txt", None)
    assert await kept(ann) == 0
    await mill.arrivals.progress(file, 0, 900)
    assert await kept(ann) == 900
    with pytest.raises(QuotaExceeded):
        await mill.arrivals.progress(file, 0, ROOM + 1)
    await mill.blobs.put(file.blob, text(800))
    await mill.arrivals.finish(file, Digest(800, "0" * 64, 0))
    assert await kept(ann) == 800
    bad = await mill.arrivals.begin(who, "b.txt", 5000)
    assert await kept(ann) == 5800
    await mill.arrivals.reject(bad, BrokenMedia("bad"))
    assert await kept(ann) == 800
    gone = await mill.arrivals.begin(who, "c.txt", 300)
    await ann.client.delete(f"/v1/files/{gone.id}")
    async with working(mill):
        await until(ann, 800)
    assert charges.usage(mill) == []


async def test_members_that_are_deleted_count_no_more(mill, ann):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in "ab":
            archive.writestr(f"{name}.txt", text(3000))
    sent = await ann.client.post("/v1/files?name=a.zip", content=made.getvalue())
    await ann.client.delete(f"/v1/files/{sent.json()['id']}/members/a.txt")
    assert 3000 < await kept(ann) < 4000
    assert charges.usage(mill) == []


async def test_results_count_until_their_job_is_purged(mill, ann):
    file, other = await picture(ann), await picture(ann)
    async with working(mill):
        job = (await submit(ann, [file, other], "copied")).json()["id"]
        await ann.client.get(f"/v1/jobs/{job}?wait=20")
        told = (await ann.client.get("/v1/usage")).json()
        assert (told["bytes"], told["results_bytes"]) == (4 * len(PNG), 2 * len(PNG))
        assert charges.usage(mill) == []
        await ann.client.delete(f"/v1/jobs/{job}", params={"now": "true"})
        await until(ann, 2 * len(PNG))
    assert charges.usage(mill) == []


async def test_without_room_no_work_is_begun_and_a_retry_mends_it(mill, ann):
    file = await picture(ann)
    job = (await submit(ann, [file], "copied")).json()["id"]
    filler = (await send(ann, ROOM - len(PNG))).json()["id"]
    refused = await submit(ann, [file], "copied")
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    async with working(mill):
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=20")).json()
        assert ended["state"] == "failed"
        items = (await ann.client.get(f"/v1/jobs/{job}/items")).json()["data"]
        assert items[0]["code"] == "quota_exceeded"
        await ann.client.delete(f"/v1/files/{filler}", params={"now": "true"})
        await until(ann, len(PNG))
        await ann.client.post(f"/v1/jobs/{job}/retry")
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=20")).json()
        assert ended["state"] == "succeeded"
        assert await kept(ann) == 2 * len(PNG)
    assert charges.usage(mill) == []


async def test_an_unguarded_charge_is_noticed(mill, ann, monkeypatch):
    """The planted fault: looking first and counting later lets several in."""
    size = ROOM // 2 + 1

    async def charge(owner: str, more: int, files: int = 0):
        return (Update(Usage, (owner,), add={"bytes": more}),)

    await send(ann, 1)
    monkeypatch.setattr(mill.repositories.usages, "charge", charge)
    answers = await asyncio.gather(*(send(ann, size) for _ in range(5)))
    assert [a.status_code for a in answers].count(201) > 1
