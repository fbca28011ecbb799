"""tus judged by its real client, `tus-js-client`, through a proxy that cuts; and by kills."""

import asyncio
import hashlib
import os
import random
import signal
from pathlib import Path

import httpx
import pytest

from mediamill.services.uploads import holding
from tests.support.cutting import cutting
from tests.support.processes import Process, free_port, signed_in, until_live
from tests.support.serving import Taken, served
from tests.support.tus import last, tus_upload
from tests.web.conftest import person

MB = 1_000_000
TUS = {"tus-resumable": "1.0.0"}
BYTES = {**TUS, "content-type": "application/offset+octet-stream"}


@pytest.fixture
async def ann(web):
    async with person(web, "ann") as found:
        yield found


@pytest.fixture
def taken(web):
    return Taken(web)


@pytest.fixture
async def port(taken):
    async with served(taken) as port:
        yield port


def some_file(folder: Path, size: int, name="pushed.bin") -> tuple[Path, str]:
    """Write a file of random bytes; return it and its SHA-256."""
    data = random.Random(size).randbytes(size)
    path = folder / name
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


async def stored(person, events):
    """Return the record of the file that an upload has become, and check its bytes."""
    place = "/v1/" + last(events, "done")["url"].partition("/v1/")[2]
    upload = await person.client.get(place)
    file = (await person.client.get(f"/v1/files/{upload.json()['file']}")).json()
    content = await person.client.get(f"/v1/files/{file['id']}/content")
    assert hashlib.sha256(content.content).hexdigest() == file["sha256"]
    return file


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"chunk": 700_001},
        {"withCreation": True, "chunk": 1_000_000},
        {"defer": True, "chunk": 700_001},
        {"methodOverride": True},
    ],
    ids=lambda more: "-".join(more) or "whole",
)
async def test_the_real_client_uploads(ann, port, tmp_path, more):
    path, sha256 = some_file(tmp_path, 3 * MB)
    events = await tus_upload(port, ann.token, path, **more)
    file = await stored(ann, events)
    assert (file["sha256"], file["size"], file["name"]) == (sha256, 3 * MB, "pushed.bin")
    assert last(events, "file")["file"] == file["id"]
    assert last(events, "done")["tries"] == 0


async def cut_five_times(ann, port, folder, size, chunk=None):
    path, sha256 = some_file(folder, size)
    dice = random.Random()
    cuts = [dice.randrange(1_000, min(size // 6, chunk or size)) for _ in range(5)]
    async with cutting(port, cuts) as cutter:
        events = await tus_upload(cutter.port, ann.token, path, chunk=chunk)
    assert cutter.done == 5, (cuts, events)
    file = await stored(ann, events)
    assert (file["sha256"], file["size"]) == (sha256, size), cuts
    assert last(events, "done")["tries"] >= 4


@pytest.mark.parametrize("chunk", [None, 800_000], ids=["whole", "chunks"])
async def test_cut_five_times_it_arrives_bit_identical(ann, port, tmp_path, chunk, monkeypatch):
    monkeypatch.setattr(holding, "PART", 400_000)
    await cut_five_times(ann, port, tmp_path, 6 * MB, chunk)


@pytest.mark.soak
async def test_cut_five_times_long(ann, port, tmp_path):
    for _ in range(20):
        await cut_five_times(ann, port, tmp_path, 60 * MB)


async def test_two_clients_on_one_upload_cannot_corrupt_it(mill, ann, port, tmp_path, monkeypatch):
    monkeypatch.setattr(holding, "PART", 200_000)
    path, sha256 = some_file(tmp_path, 4 * MB)
    length = {**TUS, "upload-length": str(4 * MB)}
    place = (await ann.client.post("/v1/uploads", headers=length)).headers["location"]
    url = f"http://127.0.0.1:{port}{place}"
    both = await asyncio.gather(
        *(tus_upload(port, ann.token, path, url=url, chunk=chunk) for chunk in (150_000, 330_000))
    )
    for events in both:
        assert last(events, "done")
    file = await stored(ann, both[0])
    assert (file["sha256"], file["size"]) == (sha256, 4 * MB)
    assert len((await ann.client.get("/v1/files")).json()["data"]) == 1
    assert [blob.key async for blob in mill.blobs.list("uploads/")] == []


async def test_stopped_and_gone_on_with_by_another_run(ann, port, tmp_path):
    path, sha256 = some_file(tmp_path, 3 * MB)
    events = await tus_upload(port, ann.token, path, chunk=500_000, stopAt=1 * MB)
    url = last(events, "stopped")["url"]
    events = await tus_upload(port, ann.token, path, url=url)
    assert (await stored(ann, events))["sha256"] == sha256


async def test_the_real_client_is_told_why(ann, port, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    events = await tus_upload(port, ann.token, path)
    failed = last(events, "failed")
    assert failed["status"] in (415, 422)
    assert "application" not in failed["body"]
    assert '"retryable":false' in failed["body"]
    assert (await ann.client.get("/v1/files")).json()["data"] == []


async def raw(port, person, place, offset, length, **headers):
    """Begin a PATCH over a plain socket and leave its body to the caller."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = {**BYTES, "upload-offset": offset, "content-length": length, **headers}
    lines = [f"PATCH {place} HTTP/1.1", "Host: x", f"Authorization: Bearer {person.token}"]
    lines += [f"{name}: {value}" for name, value in said.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await writer.drain()
    return reader, writer


async def at(person, place):
    head = await person.client.head(place, headers=TUS)
    return int(head.headers["upload-offset"])


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_cut_body_keeps_what_came(ann, port, taken, how):
    data = os.urandom(300_000)
    length = {**TUS, "upload-length": str(len(data))}
    place = (await ann.client.post("/v1/uploads", headers=length)).headers["location"]
    _, writer = await raw(port, ann, place, 0, len(data))
    writer.write(data[:123_456])
    await taken.until(123_456)
    if how == "closed":
        writer.close()
    else:
        writer.transport.abort()
    async with asyncio.timeout(60):
        while await at(ann, place) != 123_456:
            await asyncio.sleep(0.05)
    rest = {**BYTES, "upload-offset": "123456"}
    done = await ann.client.patch(place, headers=rest, content=data[123_456:])
    back = await ann.client.get(f"/v1/files/{done.headers['mediamill-file']}/content")
    assert back.content == data


async def test_a_body_that_pauses_too_long_keeps_what_came(ann, port, taken, monkeypatch):
    from mediamill.web import limits

    place = (
        await ann.client.post("/v1/uploads", headers={**TUS, "upload-length": "100000"})
    ).headers["location"]
    reader, writer = await raw(port, ann, place, 0, 100_000)
    writer.write(b"x" * 59_999)
    await taken.until(59_999)
    monkeypatch.setattr(limits, "LONGEST_PAUSE", 0.3)
    writer.write(b"x")  # from here on
    async with asyncio.timeout(60):
        status = await reader.readline()
    writer.transport.abort()
    assert status.split()[1] == b"503"
    assert await at(ann, place) == 60_000


async def test_killed_in_the_middle_of_a_request_and_gone_on(tmp_path):
    """SIGKILL while bytes come: what was counted before is there, and nothing else is."""
    size = 24 << 20
    data = random.Random(5).randbytes(size)
    process = Process("up", tmp_path / "home", free_port(), min_free_bytes=0, slots=1)
    process.start()
    try:
        await until_live(process)
        async with signed_in(process) as client:
            head = {**TUS, "upload-length": str(size)}
            place = (await client.post("/v1/uploads", headers=head)).headers["location"]
            token = client.headers["authorization"].removeprefix("Bearer ")
            person = type("Person", (), {"token": token})
            _, writer = await raw(process.port, person, place, 0, size)
            writer.write(data[: 20 << 20])
            await writer.drain()
            await reached(client, place, holding.PART)
            process.end(signal.SIGKILL)
            writer.transport.abort()
            process.start()
            await until_live(process)
            assert await settled(client, place) == holding.PART
            answer = {}
            async with asyncio.timeout(60):
                while answer.get("state") != "ready":
                    if answer.get("state", "receiving") == "receiving":
                        offset = await settled(client, place)
                        body = {**BYTES, "upload-offset": str(offset)}
                        await client.patch(place, headers=body, content=data[offset:])
                    answer = (await client.get(place)).json()
            content = await client.get(f"/v1/files/{answer['file']}/content")
            assert hashlib.sha256(content.content).digest() == hashlib.sha256(data).digest()
    finally:
        process.end()


async def settled(client, place):
    async with asyncio.timeout(60):
        while True:
            try:
                head = await client.head(place, headers=TUS)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            return int(head.headers["upload-offset"])


async def reached(client, place, offset):
    async with asyncio.timeout(60):
        while (await client.get(place)).json()["offset"] < offset:
            await asyncio.sleep(0.05)


def test_the_lock_file_names_no_address():
    lock = (Path(__file__).parent / "tus/package-lock.json").read_text()
    assert "resolved" not in lock
    assert "integrity" in lock
