"""Messages of which a proxy and a server might not find the same end: refused, and nothing behind.

What stands behind the first message would be somebody else's request at the next server.
"""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.listening import connected
from tests.support.serving import served

HEAD = b"POST /first HTTP/1.1\r\nHost: x\r\n"
BEHIND = b"GET /behind HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
MESSAGES = {
    "a length and chunks": HEAD + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + BEHIND,
    "chunks and a length": HEAD + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + BEHIND,
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + BEHIND,
    "two lengths in one": HEAD + b"Content-Length: 0, 5\r\n\r\n" + BEHIND,
    "a length with a sign": HEAD + b"Content-Length: +0\r\n\r\n" + BEHIND,
    "a length in hexadecimal": HEAD + b"Content-Length: 0x0\r\n\r\n" + BEHIND,
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n" + BEHIND,
    "another coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + BEHIND,
    "chunks, then another coding": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n"
    b"0\r\n\r\n" + BEHIND,
    "a space before the colon": HEAD + b"Content-Length : 0\r\n\r\n" + BEHIND,
    "a folded line": HEAD + b"X-Long: a\r\n Content-Length: 5\r\n\r\n" + BEHIND,
    "a line that ends early": HEAD + b"X-One: a\rContent-Length: 5\r\n\r\n" + BEHIND,
    "NUL in a header": HEAD + b"X-One: a\0b\r\nContent-Length: 0\r\n\r\n" + BEHIND,
    "a chunk of no size": HEAD + CHUNKED + b"\r\nx\r\n\r\n" + BEHIND,
    "a chunk with a sign": HEAD + CHUNKED + b"\r\n-1\r\n\r\n" + BEHIND,
    "a chunk that is longer than told": HEAD + CHUNKED + b"\r\n1\r\nabc\r\n0\r\n\r\n" + BEHIND,
}


@pytest.fixture
async def seen() -> list[str]:
    """The paths that were asked for."""
    return []


@pytest.fixture
async def port(seen):
    async def answer(request):
        await request.body()
        seen.append(request.url.path)
        return PlainTextResponse("done")

    routes = [Route(path, answer, methods=["GET", "POST"]) for path in ("/first", "/behind")]
    async with served(Starlette(routes=routes)) as port:
        yield port


async def ask(port: int, message: bytes) -> bytes:
    """Send a message and no more; return all that comes until the server ends."""
    async with connected(port) as (reader, writer):
        writer.write(message)
        await writer.drain()
        async with asyncio.timeout(60):
            return await reader.read()


@pytest.mark.parametrize("kind", MESSAGES)
async def test_what_could_be_read_in_two_ways_is_refused(port, seen, kind):
    answer = await ask(port, MESSAGES[kind])
    assert answer[:12] in (b"HTTP/1.1 400", b""), answer  # cut off, once its body has begun
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert seen == []


async def test_what_can_be_read_in_one_way_is_answered(port, seen):
    """So that the refusals above are about what they say."""
    last = BEHIND.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for body in (b"Content-Length: 0\r\n\r\n", CHUNKED + b"\r\n0\r\n\r\n"):
        answer = await ask(port, HEAD + body + last)
        assert answer.count(b"HTTP/1.1 200") == 2
    assert seen == ["/first", "/behind"] * 2
