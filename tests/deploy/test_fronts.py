"""The examples of nginx and Caddy, run in front of a real service."""

import asyncio
import base64
import hashlib
import json
import random
import ssl
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.support.certificates import certificates
from tests.support.fronts import FRONTS, NAME, nginx
from tests.support.serving import Taken, served, working
from tests.web.one_service import ann, mill, web  # noqa: F401 - fixtures
from tests.web.test_audit import acts
from tests.web.test_uploading import PNG

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"public_url": f"https://{NAME}", "trusted_proxies": "127.0.0.1"}
MB = 1_000_000
GATHERED = "a client request body is buffered to a temporary file"
"""What nginx says when it writes a body to its disk."""
TUS = {"tus-resumable": "1.0.0"}
FORGED = {
    "x-forwarded-for": "203.0.113.66",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "evil.example",
    "forwarded": "for=203.0.113.66;proto=http;host=evil.example",
}
ONCE = {"scope": "module", "loop_scope": "module"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def taken(web):
    return Taken(web)


@pytest_asyncio.fixture(**ONCE)
async def upstream(taken):
    async with served(taken) as port:
        yield port


@pytest.fixture(scope="module", params=FRONTS)
def front(request, upstream, made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("front") / request.param
    with FRONTS[request.param](folder, upstream, made) as running:
        yield running


@asynccontextmanager
async def sending(front, person, size):
    """Begin an upload through a proxy: give what sends more of its body, and what reads."""
    trust = ssl.create_default_context(cafile=str(front.authority))
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port, ssl=trust)
    head = [
        "POST /v1/files?name=large.bin HTTP/1.1", f"Host: {NAME}", f"Content-Length: {size}",
        "Content-Type: application/octet-stream", f"Authorization: Bearer {person.token}", "", "",
    ]  # fmt: skip
    writer.write("\r\n".join(head).encode())
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_an_upload_goes_through_as_it_comes(front, taken, ann):
    """Half of it is at the service while the other half is not sent yet."""
    data = random.Random(1).randbytes(24 * MB)
    before = taken.bytes
    async with sending(front, ann, len(data)) as (reader, writer):
        writer.write(data[: 12 * MB])
        await writer.drain()
        await taken.until(before + 11 * MB)
        writer.write(data[12 * MB :])
        await writer.drain()
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
    assert head.startswith(b"HTTP/1.1 201"), head
    assert answer["sha256"] == hashlib.sha256(data).hexdigest()
    assert GATHERED not in (front.folder / "log").read_text()


async def test_a_proxy_that_gathers_uploads_first_is_noticed(
    upstream, made, taken, ann, tmp_path
):  # fmt: skip
    """The planted fault."""
    fault = {"proxy_request_buffering off;": "proxy_request_buffering on;"}
    with nginx(tmp_path / "front", upstream, made, **fault) as front:
        before = taken.bytes
        async with sending(front, ann, 24 * MB) as (_, writer):
            writer.write(bytes(12 * MB))
            await writer.drain()
            async with asyncio.timeout(60):
                while GATHERED not in (front.folder / "log").read_text():
                    await asyncio.sleep(0.05)
            assert taken.bytes == before


async def test_an_upload_can_be_resumed(front, ann):
    data = PNG
    async with front.client(authorization=f"Bearer {ann.token}") as client:
        name = base64.b64encode(b"dot.png").decode()
        made = await client.post(
            "/v1/uploads",
            headers={**TUS, "upload-length": str(len(data)), "upload-metadata": f"filename {name}"},
        )
        assert made.status_code == 201, made.text
        place = "/v1/" + made.headers["location"].partition("/v1/")[2]
        assert not made.headers["location"].startswith("http:"), "the proxy's scheme is believed"
        part = {**TUS, "content-type": "application/offset+octet-stream"}
        half = len(data) // 2
        sent = await client.patch(
            place, headers={**part, "upload-offset": "0"}, content=data[:half]
        )
        assert sent.status_code == 204, sent.text
        told = await client.head(place, headers=TUS)
        assert told.headers["upload-offset"] == str(half)
        sent = await client.patch(
            place, headers={**part, "upload-offset": str(half)}, content=data[half:]
        )
        assert sent.status_code == 204, sent.text
        file = (await client.get(place)).json()["file"]
        content = await client.get(f"/v1/files/{file}/content")
        assert hashlib.sha256(content.content).digest() == hashlib.sha256(data).digest()


async def test_an_event_arrives_while_the_stream_is_open(front, ann):
    async with front.client(authorization=f"Bearer {ann.token}") as client:
        file = (await client.post("/v1/files?name=a.png", content=PNG)).json()["id"]
        async with client.stream("GET", "/v1/events") as stream, asyncio.timeout(60):
            assert stream.headers["content-type"].startswith("text/event-stream")
            body = {"files": [file], "steps": [{"operation": "convert"}], "reuse": False}
            job = (await client.post("/v1/jobs", json=body)).json()["id"]
            async for line in stream.aiter_lines():
                if line.startswith("data:") and job in line:
                    break
            else:
                pytest.fail("the stream ended")
        await client.post(f"/v1/jobs/{job}/cancel")


async def test_a_job_is_waited_for_and_its_zip_has_a_length(front, mill, ann):
    async with front.client(authorization=f"Bearer {ann.token}") as client:
        file = (await client.post("/v1/files?name=b.png", content=PNG)).json()["id"]
        steps = [{"operation": "convert", "parameters": {"format": "png"}}]
        job = (await client.post("/v1/jobs", json={"files": [file], "steps": steps})).json()["id"]
        async with working(mill):
            told = (await client.get(f"/v1/jobs/{job}?wait=60")).json()
        assert told["state"] == "succeeded", told
        got = await client.get(f"/v1/jobs/{job}/download", headers={"range": "bytes=0-3"})
        assert (got.status_code, got.content) == (206, b"PK\x03\x04")


async def test_what_a_client_says_of_itself_is_not_believed(front, mill, ann):
    wrong = {"email": ann.email, "password": "not the password"}
    async with front.client("127.0.0.9", **FORGED) as client:
        refused = await client.post("/v1/auth/login", json=wrong)
        assert refused.status_code == 401, refused.text
        secure = await client.get("/login")
    act = (await acts(mill, about=ann.id, action="sign_in_refused"))[0]
    assert act.address == "127.0.0.9"
    assert "strict-transport-security" in secure.headers
    assert "evil.example" not in secure.text


async def test_a_proxy_that_passes_on_what_it_is_told_is_noticed(
    upstream, made, mill, ann, tmp_path
):  # fmt: skip
    """The planted fault: `Forwarded` of a client goes through."""
    fault = {
        'proxy_set_header Forwarded "";': "",
        "X-Forwarded-For $remote_addr": 'X-Forwarded-For ""',
    }
    with nginx(tmp_path / "front", upstream, made, **fault) as front:
        wrong = {"email": ann.email, "password": "not the password"}
        forged = {"forwarded": "for=203.0.113.66;proto=https"}
        async with front.client("127.0.0.9", **forged) as client:
            assert (await client.post("/v1/auth/login", json=wrong)).status_code == 401
    act = (await acts(mill, about=ann.id, action="sign_in_refused"))[0]
    assert act.address == "203.0.113.66"


@pytest.mark.parametrize("gathered", [True, False])
async def test_a_server_that_dies_is_passed_over_but_not_with_an_upload(
    upstream, made, tmp_path, gathered
):
    """A server that closes what it was asked by; False is the planted fault, no body is kept."""

    async def dying(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        died.append(True)
        writer.close()

    async def late(client, path, what):
        """Post a body that comes after its head has been read."""
        text = json.dumps(what).encode()

        async def body():
            await asyncio.sleep(0.2)
            yield text

        headers = {"content-length": str(len(text)), "content-type": "application/json"}
        return (await client.post(path, content=body(), headers=headers)).status_code

    died: list[bool] = []
    async with await asyncio.start_server(dying, "127.0.0.1", 0) as server:
        other = server.sockets[0].getsockname()[1]
        fault = {
            "keepalive 16;": f"server 127.0.0.1:{other} max_fails=0;",
            **({} if gathered else {"location / {": "location / { proxy_request_buffering off;"}),
        }
        with nginx(tmp_path / "front", upstream, made, **fault) as front:
            async with front.client() as client:
                wrong = {"email": "nobody@example.org", "password": "not the password"}
                told = [await late(client, "/v1/auth/login", wrong) for _ in range(4)]
                sent = [await late(client, "/v1/files?name=a.json", wrong) for _ in range(4)]
    assert died
    assert (502 in told) is not gathered
    assert 502 in sent


async def test_numbers_are_not_for_everybody(front):
    async with front.client() as client:
        assert (await client.get("/metrics")).status_code == 404
        assert (await client.get("/health/live")).status_code == 200


async def test_plain_http_leads_to_https(upstream, made, tmp_path):
    with nginx(tmp_path / "front", upstream, made) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.plain)
        writer.write(f"GET /jobs?a=1 HTTP/1.0\r\nHost: {NAME}\r\n\r\n".encode())
        told = (await reader.read()).decode()
        writer.close()
    assert told.startswith("HTTP/1.1 301")
    assert f"Location: https://{NAME}/jobs?a=1" in told
