"""A small HTTP/1.1 server on 127.0.0.1 that gives files well, or badly in every wished way."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.listening import beside, listening

Page = Callable[["Ask", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Ask:
    """What was asked for."""

    path: str
    headers: dict[str, str]

    def range_start(self) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(match[1]) if match else 0


@dataclass
class Source:
    """Pages by their path, every request that came, and how many connections."""

    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[Ask] = field(default_factory=list)
    connections: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    names: list[str] = field(default_factory=list)
    """Names that TLS clients asked for."""

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://{self.host}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            ask = Ask(head[0].split(" ")[1], {name.lower(): value for name, value in pairs})
            self.asked.append(ask)
            page = self.pages.get(ask.path.partition("?")[0], missing)
            await page(ask, writer)
            await writer.drain()


async def missing(ask: Ask, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def head(status: str, **headers: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def fixed(answer: bytes) -> Page:
    async def page(ask: Ask, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return page


def file(data: bytes, *, ranges: bool = True, etag: str = '"one"', cut: object = None,
         pause: float = 0, step: int = 1 << 16, **headers: object) -> Page:  # fmt: skip
    """Give a file; `cut` is an iterator of how many bytes each answer gives before it breaks."""

    async def page(ask: Ask, writer: asyncio.StreamWriter) -> None:
        start = ask.range_start() if ranges else 0
        if start and ask.headers.get("if-range") != etag:
            start = 0
        extra = {"ETag": etag, **headers} if etag else dict(headers)
        if start:
            extra["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        status = "206 Partial Content" if start else "200 OK"
        writer.write(head(status, Content_Length=len(data) - start, **extra))
        stop = start + next(cut, len(data)) if cut is not None else len(data)  # type: ignore[call-overload]
        for at in range(start, min(stop, len(data)), step):
            writer.write(data[at : min(at + step, stop)])
            await writer.drain()
            await asyncio.sleep(pause)
        if stop < len(data):
            writer.transport.abort() if stop % 2 else writer.close()

    return page


@contextmanager
def source_in_thread(**pages: Page) -> Iterator[Source]:
    """Run a server beside a test that is not asynchronous."""
    with beside(source(**pages)) as made:
        yield made


@asynccontextmanager
async def source(host: str = "127.0.0.1", tls: object = None, **pages: Page):
    """Run a server for the length of the block; `a_b=page` stands under `/a.b`."""
    made = Source({f"/{name.replace('_', '.')}": page for name, page in pages.items()}, host=host)
    async with listening(made.answer, host, ssl=tls) as made.port:
        yield made
