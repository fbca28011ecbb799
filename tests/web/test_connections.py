"""A client that takes nothing of its answer is cut off, and one whose headers never end.

One that is merely slow is not, nor one with long headers.
"""

import asyncio
import socket
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from mediamill.services.content import Content
from mediamill.web import connections
from mediamill.web.connections import Connection
from mediamill.web.serving import serve
from tests.support.listening import connected
from tests.support.serving import served
from tests.web.test_uploading import resident

SIZE = 64 << 20


@pytest.fixture
async def reads():
    """What became of each read of the content behind the server."""
    return []


@pytest.fixture
async def port(reads):
    """A server that gives out more than any buffer on the way holds."""

    async def read(start, stop):
        reads.append("begun")
        try:
            while start < stop:
                yield bytes(1 << 20)
                await asyncio.sleep(0)
                start += 1 << 20
            reads[-1] = "ended"
        finally:
            reads[-1] = "closed" if reads[-1] == "begun" else reads[-1]

    def answer(request):
        return serve(request, Content("x", "application/zip", SIZE, "abc", read))

    async with served(Starlette(routes=[Route("/", answer)])) as port:
        yield port


def ask(port, room=4096):
    """Ask for everything through a small receive buffer; a tiny one stalls by TCP's own rules."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.setblocking(False)
    return client


async def test_who_reads_nothing_is_cut_off(port, reads, monkeypatch):
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.3)
    with ask(port):
        async with asyncio.timeout(60):
            while reads != ["closed"]:
                await asyncio.sleep(0.02)


async def test_who_reads_slowly_is_served(port, reads, monkeypatch):
    """A little in every period is progress, although our own buffer does not move for long.

    The periods end when the test says so.
    """
    loop, got, watched = asyncio.get_running_loop(), 0, []
    watch = Connection._watch

    def seen(self):
        watched.append(self)
        watch(self)

    monkeypatch.setattr(Connection, "_watch", seen)
    monkeypatch.setattr(connections, "STALL_SECONDS", 600)
    with ask(port, room=1 << 18) as client:
        async with asyncio.timeout(60):
            while not watched:
                await asyncio.sleep(0.01)
            for _ in range(2):
                for _ in range(10):
                    got += len(await loop.sock_recv(client, 20_000))
                while watched[0]._count_untaken() >= watched[0]._untaken:
                    await asyncio.sleep(0.01)
                watched[0]._look()
        assert reads == ["begun"]
        async with asyncio.timeout(60):
            while chunk := await loop.sock_recv(client, 1 << 20):
                got += len(chunk)
                if got > SIZE:
                    break
            while reads == ["begun"]:
                await asyncio.sleep(0.01)
    assert got > SIZE
    assert reads == ["ended"]


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
FLOODS = {
    "one header": (HEAD + b"X-Long: ", b"x" * 65_536),
    "a header's name": (HEAD, b"x" * 65_536),
    "many headers": (HEAD, b"".join(b"X-%d: y\r\n" % n for n in range(5_000))),
    "address": (b"GET /", b"x" * 65_536),
    "method": (b"GET", b"T" * 65_536),
    "one trailer": (CHUNKED + b"X-Long: ", b"x" * 65_536),
    "many trailers": (CHUNKED, b"".join(b"X-%d: y\r\n" % n for n in range(5_000))),
    "chunk extension": (CHUNKED[:-3] + b"5;", b"x" * 65_536),
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_s20_headers_without_end_are_cut_off(port, kind):
    """Uvicorn takes as many as come; 84 MB of one header took the whole processor for 10 s."""
    begin, more = FLOODS[kind]
    before, sent, answer = resident(), 0, b""
    async with connected(port) as (reader, writer):
        writer.write(begin)
        with suppress(ConnectionError):
            for _ in range(1_000):
                writer.write(more)
                await asyncio.wait_for(writer.drain(), 60)
                sent += len(more)
            answer = await asyncio.wait_for(reader.read(100), 60)
        writer.transport.abort()
    assert sent < 32 << 20, f"{sent:,} bytes were taken"
    assert answer[:12] in (b"", b"HTTP/1.1 431", b"HTTP/1.1 400")
    assert resident() - before < 64 << 20


@pytest.mark.parametrize(
    ("size", "status"), [(100_000, b"206"), (140_000, b"431"), (1 << 20, b"431")]
)
async def test_s20_how_long_headers_may_be(port, size, status):
    """In one piece; and when the body of a request before lies in front of them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"%sRange: bytes=0-0\r\nX-Long: %s\r\n\r\n" % (HEAD, b"x" * size)
    writer.write(head)
    with suppress(ConnectionError):
        await asyncio.wait_for(writer.drain(), 60)
        answer = await asyncio.wait_for(reader.read(100), 60)
        assert answer.split()[1] == status
    writer.close()


async def test_a_long_body_is_no_head(port):
    """The route takes no POST, but the connection stays good for the next request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
    for _ in range(3):
        writer.write(bytes(1_000_000))
        await writer.drain()
    assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"405"
    await reader.readexactly(len(b"Method Not Allowed"))
    writer.write(HEAD + b"Range: bytes=0-0\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"206"
    writer.close()
