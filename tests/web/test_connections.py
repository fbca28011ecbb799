"""A client that takes nothing of its answer is cut off; one that is merely slow is not."""

import asyncio
import socket

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from mediamill.services.content import Content
from mediamill.web import connections
from mediamill.web.serving import serve
from tests.support.serving import served

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
        async with asyncio.timeout(20):
            while reads != ["closed"]:
                await asyncio.sleep(0.02)


async def test_who_reads_slowly_is_served(port, reads, monkeypatch):
    """A little in every period is progress, although our own buffer does not move for long."""
    monkeypatch.setattr(connections, "STALL_SECONDS", 1.0)
    loop, got = asyncio.get_running_loop(), 0
    with ask(port, room=1 << 18) as client:
        for _ in range(22):
            got += len(await loop.sock_recv(client, 20_000))
            await asyncio.sleep(0.1)
        assert reads == ["begun"]
        monkeypatch.setattr(connections, "STALL_SECONDS", 60)
        async with asyncio.timeout(30):
            while chunk := await loop.sock_recv(client, 1 << 20):
                got += len(chunk)
                if got > SIZE:
                    break
            while reads == ["begun"]:
                await asyncio.sleep(0.01)
    assert got > SIZE
    assert reads == ["ended"]
