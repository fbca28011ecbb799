"""Uploads over a real server: raw and forms, and S20: forms that are an attack."""

import asyncio
import json
import os
import time
from pathlib import Path

import httpx
import pytest

from mediamill.web import limits, multipart
from tests.media_factory import hostile_names
from tests.support.places import everywhere
from tests.support.serving import Taken, served

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


@pytest.fixture
def taken(web):
    return Taken(web)


@pytest.fixture
async def server(taken):
    """The application behind uvicorn, as `mediamill up` runs it."""
    async with served(taken) as port:
        yield port


async def post(port, person, head, body, seconds=60.0):
    """Send a request byte by byte as given; return status, body and how long it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    start = time.monotonic()
    lines = ["POST /v1/files HTTP/1.1", "Host: x", f"Authorization: Bearer {person.token}", *head]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    sending = asyncio.ensure_future(_send(writer, body))
    try:
        async with asyncio.timeout(seconds):
            status = int((await reader.readline()).split()[1])
            took = time.monotonic() - start
            headers = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = headers.partition(b"content-length:")[2].partition(b"\r\n")[0]
            answer = await reader.readexactly(int(length))
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    return status, answer, took


async def _send(writer, body):
    async for piece in body:
        writer.write(piece)
        await writer.drain()


async def pieces(data, size=1 << 16):
    for start in range(0, len(data), size):
        yield data[start : start + size]


def form(*parts, boundary="b"):
    pieces = [f"--{boundary}\r\n{headers}\r\n\r\n".encode() + data for headers, data in parts]
    return b"\r\n".join([*pieces, f"--{boundary}--\r\n".encode()])


def part(filename, field="file"):
    return f'Content-Disposition: form-data; name="{field}"; filename="{filename}"'


FORM = {"content-type": "multipart/form-data; boundary=b"}


async def test_one_file_of_a_form(ann):
    response = await ann.client.post(
        "/v1/files", content=form((part("dot.png"), PNG)), headers=FORM
    )
    assert response.status_code == 201, response.text
    assert (response.json()["name"], response.json()["size"]) == ("dot.png", len(PNG))
    back = await ann.client.get(f"/v1/files/{response.json()['id']}/content")
    assert back.content == PNG


@everywhere
async def test_several_files_and_a_field(ann):
    body = form(
        ('Content-Disposition: form-data; name="note"', b"x" * 100_000),
        (part("a.png"), PNG),
        (part("b.png"), PNG),
    )
    response = await ann.client.post("/v1/files", content=body, headers=FORM)
    assert [file["name"] for file in response.json()["data"]] == ["a.png", "b.png"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
async def test_a_form_in_pieces_of_any_size(ann, size):
    almost = b"\r\n--c\r\n--\r\n-b\r\n--"
    body = form((part("dot.png"), PNG), (part("two.png"), PNG + almost))
    response = await ann.client.post("/v1/files", content=pieces(body, size), headers=FORM)
    assert response.status_code == 201, response.text
    assert [file["size"] for file in response.json()["data"]] == [len(PNG), len(PNG + almost)]


async def test_of_a_form_all_files_are_kept_or_none(ann):
    body = form((part("dot.png"), PNG), (part("bad.png"), b""))
    response = await ann.client.post("/v1/files", content=body, headers=FORM)
    assert 400 <= response.status_code < 500
    assert response.json()["detail"].startswith("bad.png: ")
    assert (await ann.client.get("/v1/files")).json()["data"] == []


async def test_ways_to_name_a_raw_body(ann):
    for path, headers in (
        ("/v1/files?name=d%C3%B6t.png", {}),
        ("/v1/files", {"x-filename": "d%C3%B6t.png"}),
        ("/v1/files", {"content-disposition": 'attachment; filename="döt.png"'.encode()}),
    ):
        response = await ann.client.post(path, content=PNG, headers=headers)
        assert response.json()["name"] == "döt.png", headers


async def test_hostile_names(ann):
    names = json.loads(hostile_names().read_text())
    for name in names[:: max(1, len(names) // 60)]:
        response = await ann.client.post("/v1/files", params={"name": name}, content=PNG)
        assert response.status_code == 201, (name, response.text)
        file = response.json()
        assert not set(file["name"]) & set("/\\\0\r\n")
        back = await ann.client.get(f"/v1/files/{file['id']}/content")
        assert back.content == PNG


async def test_json_that_holds_no_file(ann):
    response = await ann.client.post("/v1/files", json={"filename": "x"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", form((part("a"), PNG))),
        ("multipart/form-data; boundary=", form((part("a"), PNG))),
        (f"multipart/form-data; boundary={'b' * 71}", form((part("a"), PNG))),
        ("multipart/form-data; boundary=other", form((part("a"), PNG))),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", form((part("a"), PNG))[:-8]),
        ("multipart/form-data; boundary=b", form((part("a"), PNG)).replace(b"form-data", b"x")),
        ("multipart/form-data; boundary=b", form(("X: y", PNG))),
        ("multipart/form-data; boundary=b", b"--b\r\nno colon\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"\0" * 1000),
        ("multipart/form-data; boundary=b", form((part("a"), b""))),
    ],
)
async def test_forms_that_are_none(ann, kind, body):
    response = await ann.client.post("/v1/files", content=body, headers={"content-type": kind})
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert (await ann.client.get("/v1/files")).json()["data"] == []


# -- S20 ----------------------------------------------------------------------------------------


def resident():
    """Memory of this process in bytes: it is the server as well."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_hundred_thousand_parts(server, ann):
    body = form(*((part(f"{n}.png"), b"") for n in range(100_000)))
    fields = form(*(('Content-Disposition: form-data; name="x"', b"") for _ in range(100_000)))
    for attack in (body, fields):
        before, spent = resident(), time.process_time()
        head = [f"Content-Type: {FORM['content-type']}", f"Content-Length: {len(attack)}"]
        status, _, _ = await post(server, ann, head, pieces(attack))
        assert 400 <= status < 500
        assert time.process_time() - spent < 5
        assert resident() - before < 64 << 20


async def test_a_header_of_a_megabyte(server, ann):
    for headers in (
        f"{part('a')}\r\nX-Long: {'x' * (1 << 20)}",
        f"{part('a')}\r\n{'x' * (1 << 20)}: y",
        part("a" * (1 << 20)),
        "\r\n".join([part("a"), *(f"X-{n}: {'y' * 200}" for n in range(1000))]),
    ):
        body = form((headers, PNG))
        before, spent = resident(), time.process_time()
        head = [f"Content-Type: {FORM['content-type']}", f"Content-Length: {len(body)}"]
        status, _, _ = await post(server, ann, head, pieces(body))
        assert 400 <= status < 500
        assert time.process_time() - spent < 5
        assert resident() - before < 64 << 20


async def drip(data, seconds=0.2):
    for place in range(len(data)):
        yield data[place : place + 1]
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("kind", [FORM["content-type"], "application/octet-stream"])
async def test_a_body_that_drips(server, ann, kind, monkeypatch):
    monkeypatch.setattr(limits, "GRACE_SECONDS", 1.0)
    body = form((part("a.png"), PNG * 10))
    head = [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    status, answer, took = await post(server, ann, head, drip(body))
    assert status == 408
    assert json.loads(answer)["code"] == "timeout"
    assert took > 0.9  # and all of it would have taken minutes
    assert (await ann.client.get("/v1/files")).json()["data"] == []


def test_the_grace_that_is_shipped_is_five_seconds():
    """The test above shortens it; S20 asks for an answer within about five seconds."""
    assert limits.GRACE_SECONDS == 5


async def test_a_phone_in_a_tunnel_keeps_its_upload(server, ann, taken, monkeypatch):
    """A pause is fine once enough has come."""
    monkeypatch.setattr(limits, "GRACE_SECONDS", 30.0)
    body = PNG + b"\0" * 100_000

    async def pausing():
        yield body[:50_000]
        await taken.until(50_000)
        monkeypatch.setattr(limits, "GRACE_SECONDS", 0.3)
        yield body[50_000:50_001]
        await taken.until(50_001)
        await asyncio.sleep(1.2)
        yield body[50_001:]

    head = ["Content-Type: application/octet-stream", f"Content-Length: {len(body)}"]
    head.append("Connection: close")
    status, answer, _ = await post(server, ann, head, pausing())
    assert status == 201, answer


async def test_an_upload_that_breaks_off_leaves_nothing(server, ann):
    _, writer = await asyncio.open_connection("127.0.0.1", server)
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.token}\r\n"
    writer.write(head.encode() + b"Content-Length: 100000\r\n\r\n" + PNG)
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.transport.abort()
    await asyncio.sleep(0.3)
    assert (await ann.client.get("/v1/files")).json()["data"] == []


async def test_a_refused_upload_is_told_why_before_the_connection_ends(server, ann):
    """The client is still sending when it is refused; it must come to read the answer."""
    body = b"x" * (3 << 20)
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.post(
            f"http://127.0.0.1:{server}/v1/files",
            content=body,
            headers={"authorization": "Bearer no"},
        )
    assert response.status_code == 401


async def test_no_more_parts_than_allowed_is_what_stops_it(ann, monkeypatch):
    """The limit, and nothing else, refuses many parts."""
    body = form(*(('Content-Disposition: form-data; name="x"', b"y") for _ in range(1500)))
    assert (await ann.client.post("/v1/files", content=body, headers=FORM)).status_code == 413
    monkeypatch.setattr(multipart, "MAX_PARTS", 2000)
    response = await ann.client.post("/v1/files", content=body, headers=FORM)
    assert response.json()["detail"] == "The form holds no file."
