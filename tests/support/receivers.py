"""Somebody's server that takes messages: an HTTP/1.1 server on 127.0.0.1 that keeps what it got."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.listening import listening

Answer = Callable[["Got"], "bytes | Awaitable[bytes]"]


@dataclass
class Got:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Write an answer."""
    lines = [f"HTTP/1.1 {status} Some Words", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Receiver:
    """What came, in order, and what is answered: `answers` in turn, then 204."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list[Answer | bytes] = field(default_factory=list)
    always: Answer | bytes | None = None
    busy: int = 0
    most: int = 0
    """How many requests there were at a time."""
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            got = await self._read(reader)
            self.got.append(got)
            self.came.set()
            writer.write(await self._answer(got))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.busy -= 1

    async def _read(self, reader: asyncio.StreamReader) -> Got:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines if line)}
        method, path, _ = first.split(" ")
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Got(method, path, headers, body)

    async def _answer(self, got: Got) -> bytes:
        chosen = self.answers.pop(0) if self.answers else self.always
        if chosen is None:
            return reply(204)
        if isinstance(chosen, bytes):
            return chosen
        made = chosen(got)
        return made if isinstance(made, bytes) else await made

    async def wait(self, count: int, seconds: float = 60) -> list[Got]:
        """Wait for so many requests; return them all."""
        async with asyncio.timeout(seconds):
            while len(self.got) < count:
                self.came.clear()
                await self.came.wait()
        return self.got

    def events(self) -> list[tuple[str, str]]:
        """List type and id of each event that came."""
        return [(got.event["type"], got.event["id"]) for got in self.got]


@asynccontextmanager
async def receiver():
    """Run one for the length of the block."""
    made = Receiver()
    async with listening(made) as made.port:
        yield made
