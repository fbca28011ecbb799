"""Members deleted from uploaded archives: the others stay, and so does what others are reading."""

import asyncio
import io
import zipfile
import zlib

import pytest
from PIL import Image

from mediamill.core.errors import Unavailable
from mediamill.handlers.removing.collect import Collect
from mediamill.services.files import members as service
from mediamill.store.port import key_index
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.versions import Version
from tests.support.places import everywhere
from tests.support.serving import working


def zipped(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return buffer.getvalue()


CONTENTS = {f"{n}.txt": b"%d " % n * 1000 for n in range(30)}


@pytest.fixture
async def archive(ann):
    answer = await ann.client.post("/v1/files?name=set.zip", content=zipped(CONTENTS))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def stored(person, file_id: str) -> dict[str, bytes]:
    data = (await person.client.get(f"/v1/files/{file_id}/content")).content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@everywhere
async def test_one_and_many(ann, archive, mill):
    here = f"/v1/files/{archive['id']}/members"
    assert (await ann.client.delete(f"{here}/7.txt")).status_code == 204
    body = {"paths": ["1.txt", "2.txt", "7.txt", "1.txt"]}
    answer = await ann.client.post(f"{here}/delete", json=body)
    assert answer.status_code == 200, answer.text
    removed = answer.json()
    assert (removed["deleted"], removed["missing"]) == (2, ["7.txt"])
    left = {name: data for name, data in CONTENTS.items() if name not in body["paths"]}
    assert await stored(ann, archive["id"]) == left
    assert {m["path"] for m in (await ann.client.get(here)).json()["data"]} == left.keys()
    content = (await ann.client.get(f"/v1/files/{archive['id']}/content")).content
    now = (await ann.client.get(f"/v1/files/{archive['id']}")).json()
    assert now == removed["file"]
    assert (now["size"], now["sha256"]) != (archive["size"], archive["sha256"])
    row = await mill.store.get(File, archive["id"])
    assert (row.size, row.crc32) == (len(content), zlib.crc32(content))
    assert (await ann.client.get(f"{here}/7.txt")).status_code == 404


async def test_what_is_refused(ann, archive):
    here = f"/v1/files/{archive['id']}/members"
    assert (await ann.client.delete(f"{here}/nothing")).status_code == 404
    everything = {"paths": [*CONTENTS]}
    answer = await ann.client.post(f"{here}/delete", json=everything)
    assert answer.status_code == 409
    assert "delete the file itself" in answer.json()["detail"]
    for paths in ([], ["x"] * 1001, [""], "x", [7]):
        answer = await ann.client.post(f"{here}/delete", json={"paths": paths})
        assert answer.status_code == 422
    text = (await ann.client.post("/v1/files", content=b"just words")).json()
    assert (await ann.client.delete(f"/v1/files/{text['id']}/members/x")).status_code == 415
    assert await stored(ann, archive["id"]) == CONTENTS


async def test_deletions_at_the_same_time_all_take_effect(ann, archive):
    here = f"/v1/files/{archive['id']}/members"
    names = [f"{n}.txt" for n in range(12)]
    answers = await asyncio.gather(*(ann.client.delete(f"{here}/{name}") for name in names))
    assert {answer.status_code for answer in answers} == {204}
    assert (await stored(ann, archive["id"])).keys() == CONTENTS.keys() - set(names)


async def test_another_process_that_was_faster(ann, archive, mill, monkeypatch):
    """The lock of this process is no help then: the condition is, and the work is done again."""
    url, original, raced = f"/v1/files/{archive['id']}/members", mill.members._write, []

    async def slow(old, removal, blob):
        if not raced:
            raced.append(old)
            mill.members._locks.clear()
            assert (await ann.client.delete(f"{url}/1.txt")).status_code == 204
        return await original(old, removal, blob)

    monkeypatch.setattr(mill.members, "_write", slow)
    assert (await ann.client.delete(f"{url}/2.txt")).status_code == 204
    assert raced
    assert (await stored(ann, archive["id"])).keys() == CONTENTS.keys() - {"1.txt", "2.txt"}
    blobs = [blob.key async for blob in mill.blobs.list(f"files/{archive['id']}")]
    assert len(blobs) == 3  # the first, the one in between, the last; the loser's is gone


async def test_who_reads_the_old_bytes_goes_on(ann, archive, mill):
    before = await mill.store.get(File, archive["id"])
    accepted = await mill.store.now()
    reading = mill.blobs.read(before.blob)
    first = await anext(reading)
    await asyncio.sleep(0.005)
    await ann.client.delete(f"/v1/files/{archive['id']}/members/1.txt")
    assert zlib.crc32(b"".join([first, *[chunk async for chunk in reading]])) == before.crc32
    after = await mill.store.get(File, archive["id"])
    lookup = FileLookup(mill.store)
    for time, expected in ((accepted, before), (after.rewritten, after), (None, after)):
        (found,) = await lookup.get_many([archive["id"]], at=time)
        assert (found.blob, found.sha256, found.size) == (
            expected.blob, expected.sha256, expected.size,
        )  # fmt: skip
        assert (await mill.blobs.info(found.blob)).size == found.size


async def test_a_failure_at_the_end_leaves_the_old_archive(ann, archive, mill, monkeypatch):
    async def lost(*_):
        raise Unavailable("the store is away")

    url = f"/v1/files/{archive['id']}"
    with monkeypatch.context() as patch:
        patch.setattr(mill.repositories.units, "insert", lost)
        assert (await ann.client.delete(f"{url}/members/1.txt")).status_code == 503
    assert await stored(ann, archive["id"]) == CONTENTS
    assert (await ann.client.delete(f"{url}/members/1.txt")).status_code == 204
    collect = Collect(mill.store, (mill.blobs,), mill.clock, grace_ms=-10_000)
    assert await collect.collect(mill.blobs) == 1  # the copy that no row ever named
    assert len(await stored(ann, archive["id"])) == len(CONTENTS) - 1
    assert len([key async for key in mill.blobs.list(f"files/{archive['id']}")]) == 2


async def test_the_old_bytes_go_in_the_end(ann, archive, mill, monkeypatch):
    monkeypatch.setattr(service, "KEPT_MS", 0)
    for name in ("1.txt", "2.txt"):
        await ann.client.delete(f"/v1/files/{archive['id']}/members/{name}")
    async with working(mill), asyncio.timeout(60):
        while await _versions(mill, archive["id"]):
            await asyncio.sleep(0.02)
    row = await mill.store.get(File, archive["id"])
    assert [blob.key async for blob in mill.blobs.list("files/")] == [row.blob]
    assert len(await stored(ann, archive["id"])) == len(CONTENTS) - 2


async def _versions(mill, file_id):
    return (await mill.store.query(Version, key_index(Version), file_id)).rows


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, shade, shade)).save(buffer, "PNG")
    return buffer.getvalue()


async def ended(person, job_id: str) -> dict:
    async with asyncio.timeout(40):
        while True:
            job = (await person.client.get(f"/v1/jobs/{job_id}?wait=5")).json()
            if job["state"] in {"succeeded", "partial", "failed"}:
                return job


async def test_a_job_accepted_before_works_on_what_it_was_given(ann, mill):
    """Its inputs are listed and read after the deletion, from the archive that was."""
    data = zipped({f"{n}.png": picture(n) for n in range(4)})
    archive = (await ann.client.post("/v1/files", content=data)).json()
    body = {"archive": archive["id"], "steps": [{"operation": "thumbnail"}]}
    early = (await ann.client.post("/v1/jobs", json=body)).json()
    await asyncio.sleep(0.005)
    here = f"/v1/files/{archive['id']}/members"
    assert (await ann.client.delete(f"{here}/1.png")).status_code == 204
    late = (await ann.client.post("/v1/jobs", json=body)).json()
    async with working(mill):
        for job, items in ((early, 4), (late, 3)):
            done = await ended(ann, job["id"])
            assert (done["state"], done["counts"]["succeeded"]) == ("succeeded", items)


async def test_results_stay_as_their_job_made_them(ann, bob, mill):
    data = zipped({"1.png": picture(1)})
    file = (await ann.client.post("/v1/files", content=data)).json()
    body = {"archive": file["id"], "steps": [{"operation": "thumbnail"}]}
    job = (await ann.client.post("/v1/jobs", json=body)).json()
    async with working(mill):
        await ended(ann, job["id"])
    result = f"file_{job['id'].removeprefix('job_')}-0-0-0"
    answer = await ann.client.delete(f"/v1/files/{result}/members/x")
    assert answer.status_code == 409
    assert "manifest" in answer.json()["detail"]
    assert (await bob.client.delete(f"/v1/files/{result}/members/x")).status_code == 404


async def test_a_member_that_lies_fails_alone_in_a_job(ann, mill):
    """Hostile members as inputs: the good ones succeed, each bad one says why."""
    data = bytearray(zipped({f"{n}.png": picture(n) for n in range(5)}))
    for name, offset in ((b"1.png", 16), (b"2.png", 8)):  # a false CRC-32, a false size
        for at, shift in ((data.index(name), offset), (data.rindex(name), 16 + offset - 2)):
            data[at - shift] ^= 1
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO(bytes(data))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("huge.png", b"\x89PNG\r\n\x1a\n" + bytes(9_000_000), zipfile.ZIP_DEFLATED)
    file = (await ann.client.post("/v1/files", content=buffer.getvalue())).json()
    body = {"archive": file["id"], "steps": [{"operation": "thumbnail"}]}
    job = await ann.client.post("/v1/jobs", json=body)
    assert job.status_code == 202, job.text
    async with working(mill):
        done = await ended(ann, job.json()["id"])
    assert (done["counts"]["succeeded"], done["counts"]["failed"]) == (3, 3)
    items = (await ann.client.get(f"/v1/jobs/{job.json()['id']}/items")).json()["data"]
    assert len(items) == 6
