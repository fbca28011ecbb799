"""Ranges, validators, names and broken reads, over content made for the purpose."""

import asyncio
import json
from email.message import Message
from urllib.parse import unquote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from mediamill.core.errors import BrokenMedia
from mediamill.services.content import Content
from mediamill.web.serving import disposition, serve
from tests.media_factory import hostile_names

DATA = bytes(range(256)) * 40


def content(name="clip.mp4", media_type="video/mp4", data=DATA, read=None):
    async def chunks(start, stop):
        for place in range(start, stop, 1000):
            yield data[place : min(stop, place + 1000)]

    return Content(name, media_type, len(data), "abc", read or chunks)


async def ask(what, method="GET", *, inline=False, **headers):
    app = Starlette(
        routes=[
            Route("/", lambda request: serve(request, what, inline=inline), methods=["GET", "HEAD"])
        ]
    )
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://x", headers=sent
    ) as client:
        return await client.request(method, "/")


async def test_the_whole():
    response = await ask(content())
    assert (response.status_code, response.content) == (200, DATA)
    assert response.headers["content-length"] == str(len(DATA))
    assert response.headers["etag"] == '"abc"'
    assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=10239-", 10239, 10240),
        ("bytes=-1", 10239, 10240), ("bytes=-99999", 0, 10240), ("bytes=9000-99999", 9000, 10240),
        ("bytes=999-1001", 999, 1002),
    ],
)  # fmt: skip
async def test_a_range(asked, start, stop):
    response = await ask(content(), range=asked)
    assert (response.status_code, response.content) == (206, DATA[start:stop])
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert response.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
async def test_a_range_where_nothing_is(asked):
    response = await ask(content(), range=asked)
    assert response.status_code == 416
    assert response.headers["content-range"] == "bytes */10240"


@pytest.mark.parametrize(
    "asked",
    ["bytes=", "bytes=-", "bytes=9-5", "items=0-1", "bytes=a-b", "bytes=0-1,5-6", "bytes=٣-٤", "x"],
)
async def test_a_range_that_is_none_gives_the_whole(asked):
    response = await ask(content(), range=asked.encode())
    assert (response.status_code, len(response.content)) == (200, len(DATA))


async def test_if_range():
    assert (await ask(content(), range="bytes=0-0", if_range='"abc"')).status_code == 206
    for other in ('"abd"', 'W/"abc"', "Sat, 21 Nov 2026 01:38:26 GMT"):
        assert (await ask(content(), range="bytes=0-0", if_range=other)).status_code == 200


async def test_if_none_match():
    for tag in ('"abc"', 'W/"abc"', '"x", "abc"', "*"):
        response = await ask(content(), if_none_match=tag)
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == '"abc"'
    assert (await ask(content(), if_none_match='"abcd"')).status_code == 200


async def test_head_reads_nothing():
    def never(start, stop):
        raise AssertionError("read")

    response = await ask(content(read=never), "HEAD", range="bytes=0-0")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(DATA))


async def test_nothing_can_be_served():
    response = await ask(content(data=b""))
    assert (response.status_code, response.headers["content-length"]) == (200, "0")
    assert (await ask(content(data=b""), range="bytes=0-0")).status_code == 416


@pytest.mark.parametrize("difference", [-1, 1])
async def test_a_read_that_breaks_is_no_clean_end(difference):
    async def wrong(start, stop):
        yield DATA + b"x" if difference > 0 else DATA[:-1]

    with pytest.raises(BrokenMedia):
        await ask(content(read=wrong))


async def test_a_client_that_leaves_stops_the_read():
    closed = asyncio.Event()

    async def endless(start, stop):
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0)
        finally:
            closed.set()

    response = serve(_request(), Content("x", "video/mp4", 1 << 40, "abc", endless))
    incoming = asyncio.Queue()
    await incoming.put({"type": "http.request", "body": b"", "more_body": False})
    sent = []

    async def send(message):
        sent.append(message)
        if len(sent) == 100:
            await incoming.put({"type": "http.disconnect"})

    async with asyncio.timeout(60):
        await response({"type": "http", "method": "GET"}, incoming.get, send)
    assert closed.is_set()


def _request():
    from starlette.requests import Request

    return Request({"type": "http", "method": "GET", "headers": [], "path": "/"})


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/pdf"],
)
async def test_what_can_hold_script_is_never_inline(media_type):
    """S12."""
    response = await ask(content("page.html", media_type), inline=True)
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["content-security-policy"].startswith("sandbox")


async def test_harmless_pictures_may_show_in_a_page():
    response = await ask(content("a.jpg", "image/jpeg"), inline=True)
    assert response.headers["content-disposition"].startswith("inline")
    response = await ask(content("a.jpg", "image/jpeg"))
    assert response.headers["content-disposition"].startswith("attachment")


async def test_a_type_that_is_none_becomes_plain_bytes():
    response = await ask(content("a", "text/html\r\nX-Evil: 1"))
    assert response.headers["content-type"] == "application/octet-stream"
    assert "x-evil" not in response.headers


async def test_hostile_names_in_headers():
    """S14: every naughty string as a name; the header parses, and gives the name back."""
    names = json.loads(hostile_names().read_text())
    assert len(names) > 500
    for name in (
        *names,
        "a\r\nX-Evil: 1",
        '"; filename="x.exe',
        "../../etc/passwd",
        "\0",
        "\ud800",
    ):
        response = await ask(content(name))
        assert response.status_code == 200
        assert "x-evil" not in response.headers
        header = response.headers["content-disposition"]
        assert all(" " <= char <= "~" for char in header)
        message = Message()
        message["content-disposition"] = header
        extended = unquote(header.rpartition("filename*=UTF-8''")[2], errors="strict")
        assert not set(extended) & set("/\\\r\n\0")
        assert message.get_content_disposition() == "attachment"
        assert header.count('"') == 2


def test_a_name_in_right_to_left_marks_is_shown_as_it_is():
    assert "%E2%80%AE" not in disposition("photo\u202egpj.exe")
    assert disposition("фото.jpg").endswith("filename*=UTF-8''%D1%84%D0%BE%D1%82%D0%BE.jpg")


async def test_the_next_bytes_are_read_while_those_before_are_sent():
    second, sent = asyncio.Event(), bytearray()

    async def chunks(start, stop):
        yield DATA[:1000]
        second.set()
        yield DATA[1000:]

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        if message.get("body"):
            await asyncio.wait_for(second.wait(), 60)
            sent.extend(message["body"])

    scope = {"type": "http", "method": "GET", "headers": [], "path": "/", "query_string": b""}
    await serve(Request(scope), content(read=chunks))(scope, receive, send)
    assert bytes(sent) == DATA
