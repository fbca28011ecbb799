"""The tus protocol, header by header: creation, offsets, checksums, expiry, termination, races."""

import asyncio
import base64
import hashlib
import os
import zlib

import pytest

from mediamill.core.errors import Locked
from mediamill.handlers.files.uploads import ExpireUpload
from mediamill.services.uploads import holding, resumable
from mediamill.services.uploads.holding import Appender, held
from mediamill.store.port import Update, key_index
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadPart, UploadState
from tests.support.places import everywhere
from tests.web.conftest import client_of, person

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
TUS = {"tus-resumable": "1.0.0"}
BYTES = {**TUS, "content-type": "application/offset+octet-stream"}


@pytest.fixture
async def ann(web):
    async with person(web, "ann") as found:
        yield found


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


async def create(client, size, name="a.bin", content=b"", **headers):
    said = {**TUS, "upload-metadata": f"filename {b64(name)}", **headers}
    if size is not None:
        said["upload-length"] = str(size)
    return await client.post("/v1/uploads", headers=said, content=content)


async def begin(client, size, name="a.bin", **headers):
    response = await create(client, size, name, **headers)
    assert response.status_code == 201, response.text
    return response.headers["location"]


async def patch(client, place, offset, data, **headers):
    said = {**BYTES, "upload-offset": str(offset), **headers}
    return await client.patch(place, headers=said, content=data)


async def offset_of(client, place):
    response = await client.head(place, headers=TUS)
    assert response.status_code == 200, response.status_code
    return int(response.headers["upload-offset"])


async def left(mill):
    """List the bytes and rows of uploads that are still there."""
    return [blob.key async for blob in mill.blobs.list("uploads/")]


async def content(client, file_id):
    return (await client.get(f"/v1/files/{file_id}/content")).content


async def test_what_the_server_speaks_is_said_to_anybody(nobody):
    for place in ("/v1/uploads", "/v1/uploads/upload_x"):
        response = await nobody.options(place)
        assert response.status_code == 204
        assert response.headers["tus-version"] == response.headers["tus-resumable"] == "1.0.0"
        extensions = set(response.headers["tus-extension"].split(","))
        assert {"creation", "expiration", "checksum", "termination"} <= extensions
        assert int(response.headers["tus-max-size"]) > 1 << 30
        assert "sha1" in response.headers["tus-checksum-algorithm"]


@everywhere
async def test_in_three_requests_to_a_file(mill, ann):
    data = os.urandom(100_000)
    tags = b64("beach, 2026,beach")
    said = f"filename {b64('été/ö.bin')},filetype {b64('x/y')},tags {tags},is_ok"
    place = await begin(ann.client, len(data), **{"upload-metadata": said})
    for start, stop in ((0, 10), (10, 60_000)):
        response = await patch(ann.client, place, start, data[start:stop])
        assert (response.status_code, response.headers["upload-offset"]) == (204, str(stop))
        assert "mediamill-file" not in response.headers
        assert response.headers["upload-expires"].endswith("GMT")
        assert await offset_of(ann.client, place) == stop
    view = (await ann.client.get(place)).json()
    assert (view["state"], view["offset"], view["size"]) == ("receiving", 60_000, 100_000)
    response = await patch(ann.client, place, 60_000, data[60_000:])
    file_id = response.headers["mediamill-file"]
    file = (await ann.client.get(f"/v1/files/{file_id}")).json()
    assert (file["name"], file["tags"]) == ("ö.bin", ["beach", "2026"])
    assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert await content(ann.client, file_id) == data
    assert await left(mill) == []
    head = await ann.client.head(place, headers=TUS)
    assert head.headers["mediamill-file"] == file_id
    assert head.headers["upload-metadata"] == said
    assert head.headers["cache-control"] == "no-store"
    view = (await ann.client.get(place)).json()
    assert (view["state"], view["file"], view["error"]) == ("ready", file_id, None)
    again = await patch(ann.client, place, 100_000, b"")
    assert (again.status_code, again.headers["mediamill-file"]) == (204, file_id)
    assert (await patch(ann.client, place, 100_000, b"x")).status_code == 409


async def test_with_the_first_bytes_in_the_creation(ann):
    response = await create(ann.client, len(PNG), "dot.png", PNG, **BYTES)
    assert response.status_code == 201, response.text
    file = (await ann.client.get(f"/v1/files/{response.headers['mediamill-file']}")).json()
    assert file["media_type"] == "image/png"
    part = await create(ann.client, len(PNG), "dot.png", PNG[:20], **BYTES)
    assert (part.status_code, part.headers["upload-offset"]) == (201, "20")


async def test_a_creation_that_is_sent_again_under_its_key_is_one(ann):
    for content, more in ((b"", {}), (PNG, BYTES)):
        key = {"idempotency-key": f"key-{len(content)}"}
        answers = [
            await create(ann.client, len(PNG), "dot.png", content, **more, **key) for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [201, 201]
        places = {answer.headers["location"] for answer in answers}
        assert len(places) == 1
        assert {answer.headers["tus-resumable"] for answer in answers} == {"1.0.0"}
    assert len((await ann.client.get("/v1/files")).json()["data"]) == 1


async def test_with_a_length_that_is_told_later(ann):
    place = await begin(ann.client, None, **{"upload-defer-length": "1"})
    assert (await ann.client.head(place, headers=TUS)).headers["upload-defer-length"] == "1"
    assert (await patch(ann.client, place, 0, PNG[:10])).status_code == 204
    wrong = await patch(ann.client, place, 10, b"", **{"upload-length": "5"})
    assert wrong.status_code == 422
    done = await patch(ann.client, place, 10, PNG[10:], **{"upload-length": str(len(PNG))})
    assert await content(ann.client, done.headers["mediamill-file"]) == PNG
    place = await begin(ann.client, None, **{"upload-defer-length": "1"})
    await patch(ann.client, place, 0, PNG)
    done = await patch(ann.client, place, len(PNG), b"", **{"upload-length": str(len(PNG))})
    assert await content(ann.client, done.headers["mediamill-file"]) == PNG


REFUSED_CREATIONS = [
    ({"upload-length": "x"}, 400),
    ({"upload-length": "-1"}, 400),
    ({"upload-length": "٣"}, 400),
    ({"upload-length": "0"}, 422),
    ({"upload-length": str(21 << 30)}, 413),
    ({"upload-length": str(10**30)}, 400),
    ({}, 400),
    ({"upload-defer-length": "2"}, 400),
    ({"upload-length": "5", "upload-defer-length": "1"}, 400),
    ({"upload-length": "5", "upload-metadata": "filename !!"}, 400),
    ({"upload-length": "5", "upload-metadata": "a " + "A" * 5000}, 400),
    ({"upload-length": "5", "upload-metadata": f"tags {b64('x' * 101)}"}, 422),
    ({"upload-length": "5", "upload-metadata": f"project {b64('proj_x')}"}, 404),
    ({"upload-length": "5", "tus-resumable": "0.2.2"}, 412),
]


async def test_creations_that_are_refused(mill, ann):
    for headers, status in REFUSED_CREATIONS:
        said = {**TUS, **{name: value.encode() for name, value in headers.items()}}
        response = await ann.client.post("/v1/uploads", headers=said)
        assert response.status_code == status, (headers, response.text)
        assert response.headers["tus-resumable"] == "1.0.0"
        assert response.headers["content-type"] == "application/problem+json"
        if status == 412:
            assert response.headers["tus-version"] == "1.0.0"
    units = await mill.store.query(Unit, Unit.index("unit_due"), f"housekeeping|{ann.id}")
    assert not units.rows


async def test_a_full_disk_is_said_before_the_first_byte(mill, ann, monkeypatch):
    async def little():
        return 1000

    monkeypatch.setattr(mill.blobs, "free_bytes", little)
    assert (await create(ann.client, 1001)).status_code == 507
    assert (await create(ann.client, 600)).status_code == 507  # twice: parts, then the whole
    assert (await create(ann.client, 500)).status_code == 201


async def test_bytes_that_do_not_fit(mill, web, ann):
    place = await begin(ann.client, 100)
    assert (await patch(ann.client, place, 0, b"x" * 40)).status_code == 204
    for offset, data, status in ((0, b"x", 409), (41, b"x", 409), (40, b"x" * 61, 413)):
        response = await patch(ann.client, place, offset, data)
        assert response.status_code == status
        assert response.headers["tus-resumable"] == "1.0.0"

    async def endless():
        for _ in range(100):
            yield b"x" * 50

    assert (await patch(ann.client, place, 40, endless())).status_code == 413
    assert await offset_of(ann.client, place) in (40, 90)
    wrong = {**TUS, "upload-offset": "40", "content-type": "text/plain"}
    assert (await ann.client.patch(place, headers=wrong, content=b"x")).status_code == 415
    assert (await ann.client.patch(place, headers=BYTES, content=b"x")).status_code == 400
    async with person(web, "bob") as bob:
        assert (await bob.client.head(place, headers=TUS)).status_code == 404
        assert (await patch(bob.client, place, 40, b"x")).status_code == 404
    assert (await ann.client.head("/v1/uploads/upload_no", headers=TUS)).status_code == 404
    assert (await ann.client.head("/v1/uploads/what", headers=TUS)).status_code == 404
    assert (await ann.client.head(place)).status_code == 200
    assert (await ann.client.head(place, headers={"tus-resumable": "0.2"})).status_code == 412
    assert (await ann.client.delete(place)).status_code == 412


SUMS = {
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}


async def test_checksums(mill, ann, monkeypatch):
    monkeypatch.setattr(holding, "PART", 1 << 16)
    for name in SUMS:
        await checksummed(mill, ann, name)


async def checksummed(mill, ann, name):
    data = os.urandom(200_000)
    place = await begin(ann.client, len(data))
    right, wrong = (f"{name} {b64(SUMS[name](d))}" for d in (data[:150_000], data[1:150_001]))
    bad = await patch(ann.client, place, 0, data[:150_000], **{"upload-checksum": wrong})
    assert (bad.status_code, bad.json()["code"]) == (460, "checksum_mismatch")
    assert bad.json()["title"] == "Checksum Mismatch"
    assert await offset_of(ann.client, place) == 0
    assert await left(mill) == []
    good = await patch(ann.client, place, 0, data[:150_000], **{"upload-checksum": right})
    assert (good.status_code, good.headers["upload-offset"]) == (204, "150000")
    last = f"{name} {b64(SUMS[name](data[150_000:]))}"
    done = await patch(ann.client, place, 150_000, data[150_000:], **{"upload-checksum": last})
    assert await content(ann.client, done.headers["mediamill-file"]) == data
    for unknown in ("md4 AAAA", "sha1", "sha1 !"):
        said = {"upload-checksum": unknown}
        response = await patch(ann.client, place, 0, b"", **said)
        assert response.status_code == (400 if unknown != "sha1" else 409)


async def test_with_a_checksum_a_cut_body_counts_for_nothing(mill, ann):
    place = await begin(ann.client, 100)

    async def cut():
        yield b"x" * 50
        raise ConnectionResetError

    await patch(ann.client, place, 0, cut(), **{"upload-checksum": "crc32 AAAAAA=="})
    assert await offset_of(ann.client, place) == 0
    assert await left(mill) == []


async def test_a_refused_file_is_a_problem_and_leaves_nothing(mill, ann):
    broken = PNG[:30] + bytes(500)
    place = await begin(ann.client, len(broken), "broken.png")
    response = await patch(ann.client, place, 0, broken)
    assert response.status_code == 422, response.text
    assert response.json()["code"] == "broken_media"
    assert await left(mill) == []
    assert [blob.key async for blob in mill.blobs.list("files/")] == []
    assert (await ann.client.get("/v1/files")).json()["data"] == []
    view = (await ann.client.get(place)).json()
    assert (view["state"], view["code"]) == ("rejected", "broken_media")
    assert (await ann.client.head(place, headers=TUS)).status_code == 410
    assert (await patch(ann.client, place, len(broken), b"")).status_code == 410


async def test_bytes_that_are_not_the_announced_ones(mill, ann):
    for said, status in ((PNG, 204), (b"other", 422)):
        digest = hashlib.sha256(said).hexdigest()
        place = await begin(ann.client, len(PNG), **{"upload-metadata": f"sha256 {b64(digest)}"})
        assert (await patch(ann.client, place, 0, PNG)).status_code == status
        assert await left(mill) == []
    wrong = {"upload-metadata": f"sha256 {b64('abc')}"}
    assert (await create(ann.client, 5, **wrong)).status_code == 400


async def test_deleted_at_once(mill, ann):
    place = await begin(ann.client, 100)
    await patch(ann.client, place, 0, b"x" * 50)
    assert len(await left(mill)) == 1
    assert (await ann.client.delete(place, headers=TUS)).status_code == 204
    assert await left(mill) == []
    for response in (
        await ann.client.head(place, headers=TUS),
        await ann.client.get(place),
        await patch(ann.client, place, 50, b"x"),
        await ann.client.delete(place, headers=TUS),
    ):
        assert response.status_code == 404


async def test_methods_by_override(ann):
    place = await begin(ann.client, len(PNG))
    over = {"x-http-method-override": "PATCH", **BYTES, "upload-offset": "0"}
    assert (await ann.client.post(place, headers=over, content=PNG)).status_code == 204
    other = {**TUS, "x-http-method-override": "PUT"}
    assert (await ann.client.post(place, headers=other)).status_code == 405
    gone = {**TUS, "x-http-method-override": "DELETE"}
    assert (await ann.client.post(place, headers=gone)).status_code == 204


class Lease:
    """The one thing that a handler is given."""

    def __init__(self, store, unit):
        self.store, self.unit, self.released = store, unit, None

    async def vanish(self, *others, **_):
        self.released = None
        await self.store.transact(*others)

    async def release(self, delay, error=""):
        self.released = delay


async def expire(mill, upload_id):
    unit = await mill.repositories.units.get(f"upload:{upload_id}", 0)
    lease = Lease(mill.store, unit)
    handler = mill.handlers()["expire_upload"]
    assert isinstance(handler, ExpireUpload)
    await handler.run(lease)
    return lease.released


async def age(mill, upload_id, milliseconds):
    """Let an upload be older than it is."""
    upload = await mill.store.get(Upload, upload_id)
    expires = upload.expires - milliseconds
    await mill.store.transact(Update(Upload, (upload_id,), set={"expires": expires}))


async def test_an_upload_expires_a_day_after_its_last_byte(mill, ann):
    place = await begin(ann.client, 100)
    upload_id = place.rpartition("/")[2]
    unit = await mill.repositories.units.get(f"upload:{upload_id}", 0)
    assert unit.due - unit.created == holding.LIFE_MS
    await age(mill, upload_id, 1000_000)
    await patch(ann.client, place, 0, b"x" * 50)
    assert (await expire(mill, upload_id)) > holding.LIFE_MS - 60_000
    await age(mill, upload_id, holding.LIFE_MS + 1)
    assert (await ann.client.head(place, headers=TUS)).status_code == 410
    assert (await patch(ann.client, place, 50, b"x")).status_code == 410
    assert await expire(mill, upload_id) is None
    assert await left(mill) == []
    assert await mill.store.get(Upload, upload_id) is None
    assert not (await mill.store.query(UploadPart, key_index(UploadPart), upload_id)).rows
    assert (await ann.client.head(place, headers=TUS)).status_code == 404


async def test_the_file_outlives_its_upload(mill, ann):
    place = await begin(ann.client, len(PNG))
    file_id = (await patch(ann.client, place, 0, PNG)).headers["mediamill-file"]
    upload_id = place.rpartition("/")[2]
    await age(mill, upload_id, holding.LIFE_MS + 1)
    assert await expire(mill, upload_id) is None
    assert await mill.store.get(Unit, f"upload:{upload_id}", 1) is None
    assert await content(ann.client, file_id) == PNG


async def test_the_collector_leaves_the_parts_of_live_uploads(mill, ann):
    place = await begin(ann.client, 100)
    await patch(ann.client, place, 0, b"x" * 50)
    upload_id = place.rpartition("/")[2]
    await mill.blobs.put(f"uploads/{upload_id}/{50:016d}-1", b"of a killed server")
    await mill.blobs.put(f"uploads/{upload_id}/{0:016d}-7", b"of one that lost its hold")
    await mill.blobs.put("uploads/upload_gone/0000000000000000-1", b"x")
    collect = mill.handlers()["collect"]
    assert await collect.collect(mill.blobs) == 0
    collect.grace_ms = -1000
    assert await collect.collect(mill.blobs) == 3
    done = await patch(ann.client, place, 50, b"y" * 50)
    file = await content(ann.client, done.headers["mediamill-file"])
    assert file == b"x" * 50 + b"y" * 50


async def test_large_ones_are_checked_after_the_answer(mill, ann, monkeypatch):
    monkeypatch.setattr(resumable, "SMALL", 50)
    for data, state in ((PNG, "ready"), (PNG[:30] + bytes(99), "rejected")):
        place = await begin(ann.client, len(data), "big.png")
        response = await patch(ann.client, place, 0, data)
        assert response.status_code == 204
        assert "mediamill-file" not in response.headers
        assert (await ann.client.get(place)).json()["state"] == "checking"
        worker = await mill.worker()
        working = asyncio.ensure_future(worker.run())
        async with asyncio.timeout(60):
            while (await ann.client.get(place)).json()["state"] == "checking":
                await asyncio.sleep(0.05)
        worker.stop()
        await working
        view = (await ann.client.get(place)).json()
        assert (view["state"], bool(view["file"])) == (state, state == "ready")
        assert await left(mill) == []


async def test_a_server_that_dies_before_the_check_is_made_up_for(mill, ann, monkeypatch):
    place = await begin(ann.client, len(PNG))
    upload_id = place.rpartition("/")[2]

    async def die(hold):
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(mill.resumable.assembler, "finish", die)
        with pytest.raises(BaseException):  # noqa: B017, PT011
            await patch(ann.client, place, 0, PNG)
    assert await offset_of(ann.client, place) == len(PNG)
    unit = await mill.repositories.units.get(f"upload:{upload_id}", 1)
    assert unit.due - unit.created == resumable.WAITED_MS
    assert await mill.resumable.assembler.resume(upload_id)
    view = (await ann.client.get(place)).json()
    assert await content(ann.client, view["file"]) == PNG
    assert await mill.resumable.assembler.resume(upload_id)  # again is harmless
    assert len((await ann.client.get("/v1/files")).json()["data"]) == 1


@pytest.mark.parametrize("parts_remain", [True, False])
async def test_two_that_finish_make_one_file(mill, ann, monkeypatch, parts_remain):
    place = await begin(ann.client, len(PNG))
    upload_id = place.rpartition("/")[2]
    rows, assembler = mill.resumable.rows, mill.resumable.assembler
    async with held(rows, await rows.get(upload_id)) as hold:
        appender = Appender(mill.blobs, hold, len(PNG), mill.resumable._finish_unit)
        await appender.take(one(PNG))
        await rows.write(hold.upload, until=0)  # it stood still for so long that it lapsed
        with monkeypatch.context() as patched:
            if parts_remain:
                patched.setattr(assembler, "remove", keep)
            assert await assembler.resume(upload_id)
        with pytest.raises(Locked):
            await assembler.finish(hold)
    files = (await ann.client.get("/v1/files")).json()["data"]
    assert [file["sha256"] for file in files] == [hashlib.sha256(PNG).hexdigest()]
    assert [b.key async for b in mill.blobs.list("files/")] == [f"files/{files[0]['id']}"]


async def keep(upload):
    """Remove nothing, as one that is about to."""


async def one(data):
    yield data


async def test_of_two_at_once_one_waits_and_nothing_mixes(mill, web, ann, monkeypatch):
    monkeypatch.setattr(holding, "PART", 1 << 14)
    data = os.urandom(100_000)
    place = await begin(ann.client, len(data))
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        yield data[:40_000]
        halfway.set()
        await go_on.wait()
        yield data[40_000:]

    first = asyncio.ensure_future(patch(ann.client, place, 0, slow()))
    await halfway.wait()
    async with client_of(web, authorization=f"Bearer {ann.token}") as other:
        second = await patch(other, place, 0, b"z" * 100_000)
        assert (second.status_code, second.json()["retryable"]) == (423, True)
        go_on.set()
        assert (await first).status_code == 204
        assert (await patch(other, place, 0, b"z" * 100_000)).status_code == 409
    view = (await ann.client.get(place)).json()
    assert await content(ann.client, view["file"]) == data


async def test_a_silent_one_is_taken_over_and_changes_nothing_more(mill, ann, monkeypatch):
    monkeypatch.setattr(holding, "LEASE_MS", 300)
    monkeypatch.setattr(holding, "PART", 1 << 14)
    data = os.urandom(60_000)
    place = await begin(ann.client, len(data))
    silent, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        yield data[:20_000]
        silent.set()
        await go_on.wait()
        yield b"\xff" * 40_000

    first = asyncio.ensure_future(patch(ann.client, place, 0, slow()))
    await silent.wait()
    async with asyncio.timeout(60):
        while (await patch(ann.client, place, 1 << 14, data[1 << 14 :])).status_code == 423:
            await asyncio.sleep(0.05)
    go_on.set()
    assert (await first).status_code == 423
    view = (await ann.client.get(place)).json()
    assert await content(ann.client, view["file"]) == data
    assert await left(mill) == []


async def test_who_lost_its_hold_neither_writes_nor_lets_go_of_it(mill, ann):
    place = await begin(ann.client, 100)
    rows, upload_id = mill.resumable.rows, place.rpartition("/")[2]
    first = held(rows, await rows.get(upload_id))
    lost = await first.__aenter__()
    await rows.write(lost.upload, until=0)  # it was silent for so long that it lapsed
    async with held(rows, await rows.get(upload_id)) as current:
        with pytest.raises(Locked):
            await lost.write(offset=50)
        await first.__aexit__(None, None, None)
        row = await rows.get(upload_id)
        assert (row.offset, row.until) == (0, current.upload.until)
        assert (await patch(ann.client, place, 0, b"x")).status_code == 423


async def test_who_goes_on_sending_is_not_taken_over(mill, ann, monkeypatch, clock):
    monkeypatch.setattr(holding, "LEASE_MS", 300)
    place = await begin(ann.client, 20)
    rows, more = mill.resumable.rows, asyncio.Queue()

    async def steady():
        while data := await more.get():
            yield data

    first = asyncio.ensure_future(patch(ann.client, place, 0, steady()))
    for _ in range(5):
        clock.advance(200)  # in all more than three leases
        more.put_nowait(b"xxxx")
        async with asyncio.timeout(60):
            while (await rows.get(place.rpartition("/")[2])).until != clock.now() + 300:
                await asyncio.sleep(0.01)
        assert (await patch(ann.client, place, 0, b"y" * 20)).status_code == 423
    more.put_nowait(b"")
    assert (await first).status_code == 204
    view = (await ann.client.get(place)).json()
    assert await content(ann.client, view["file"]) == b"x" * 20


async def test_deleting_under_a_request_ends_it(mill, ann):
    place = await begin(ann.client, 100)
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"x" * 50
        halfway.set()
        await go_on.wait()
        yield b"x" * 50

    first = asyncio.ensure_future(patch(ann.client, place, 0, slow()))
    await halfway.wait()
    assert (await ann.client.delete(place, headers=TUS)).status_code == 204
    go_on.set()
    assert (await first).status_code == 423
    assert await left(mill) == []
    assert (await ann.client.get("/v1/files")).json()["data"] == []


async def test_many_racing_clients_agree_on_one_file(mill, ann, monkeypatch):
    """Twelve clients resend the same file wherever the offset is; the bytes come out right."""
    monkeypatch.setattr(holding, "PART", 1 << 13)
    data = os.urandom(100_000)
    place = await begin(ann.client, len(data))

    async def client(seed):
        for _ in range(60):
            head = await ann.client.head(place, headers=TUS)
            at = int(head.headers["upload-offset"])
            if at == len(data):
                return
            piece = data[at : at + 5_000 + seed * 700]
            response = await patch(ann.client, place, at, piece)
            assert response.status_code in (204, 409, 423), response.text
            if response.status_code != 204:
                await asyncio.sleep(0.01 * seed)

    await asyncio.gather(*(client(seed) for seed in range(12)))
    async with asyncio.timeout(60):
        while (view := (await ann.client.get(place)).json())["state"] != "ready":
            await asyncio.sleep(0.05)
    assert await content(ann.client, view["file"]) == data
    assert await mill.store.get(File, view["file"]) is not None
    assert (await mill.store.get(Upload, view["id"])).state is UploadState.READY
