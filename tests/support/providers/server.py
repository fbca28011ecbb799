"""A server on 127.0.0.1 that answers as a vendor does, or fails in each way of RELIABILITY's R13.

async with serving(openai_chat) as server:
    server.faults = ["500", "drip"]     one for each request, then it answers
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import msgspec

from tests.support.listening import listening

BIG = 10 << 20
SLOW_HEAD = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 9999
FAULTS = (
    "429", "429 later", "500", "503", "timeout", "reset", "cut", "empty", "bad JSON", "wrong shape",
    "10 MB", "endless", "drip", "drip head",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass(frozen=True)
class Reply:
    """What is answered; `body` is JSON unless it is bytes."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return head(self.status, {**headers, **self.headers}) + body


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Server:
    """It keeps what it was asked, and which connections were closed before it had answered."""

    respond: Callable[[Request], Reply]
    faults: list[str] = field(default_factory=list)
    delay: float = 0.0
    requests: list[Request] = field(default_factory=list)
    answered: int = 0
    """Whole good answers that were sent: what a vendor would be paid for."""
    hung_up: int = 0
    connections: int = 0
    port: int = 0
    retry_after: str = "0"
    failing: str = "/"
    """How paths begin of requests that faults are for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await receive(reader, writer)
                self.requests.append(request)
                fails = self.faults and request.path.startswith(self.failing)
                fault = self.faults.pop(0) if fails else ""
                if not await self._answer(request, fault, reader, writer):
                    break

    async def _answer(
        self,
        request: Request,
        fault: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer, or fail; return whether the connection goes on."""
        await asyncio.sleep(self.delay)
        if fault == "timeout":
            await self._gone(reader)
            return False
        if fault in ("reset", "cut", "10 MB", "endless", "drip", "drip head"):
            await self._break_off(fault, self.respond(request).encoded(), reader, writer)
            return False
        reply = self._reply(request, fault)
        writer.write(reply.encoded())
        await writer.drain()
        self.answered += not fault
        return True

    def _reply(self, request: Request, fault: str) -> Reply:
        later = {"Retry-After": self.retry_after}
        replies = {
            "429": Reply({"message": "too many"}, 429),
            "429 later": Reply({"message": "too many"}, 429, later),
            "500": Reply({"message": "oh"}, 500),
            "503": Reply({"message": "oh"}, 503),
            "empty": Reply(b""),
            "bad JSON": Reply(b'{"choices": [{"mess'),
            "wrong shape": Reply({"choices": 3, "output": "x", "Labels": 7, "stopReason": []}),
        }
        return replies[fault] if fault else self.respond(request)

    async def _break_off(
        self,
        fault: str,
        good: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send no whole answer, or one that never ends; notice when the other side hangs up."""
        if fault in ("reset", "cut"):
            if fault == "cut":
                writer.write(good[:-5])
                await writer.drain()
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
            writer.transport.abort()
            return
        gone = asyncio.create_task(self._gone(reader))
        start = head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
        if fault in ("10 MB", "endless"):
            writer.write(start)
            sent = 0
            while not gone.done() and (fault == "endless" or sent < BIG):
                writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                await writer.drain()
                sent += 65536
            writer.write(b"0\r\n\r\n")
        else:
            dripped = start + b"1\r\n \r\n" * 100_000 if fault == "drip" else SLOW_HEAD
            for place in range(len(dripped)):
                writer.write(dripped[place : place + 1])
                await asyncio.sleep(0.02)
                if gone.done():
                    break
        await gone

    async def _gone(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            await reader.read(1)
        self.hung_up += 1


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    """Read one request."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): text.strip() for name, _, text in pairs}
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


@asynccontextmanager
async def serving(respond: Callable[[Request], Reply], **given: Any) -> AsyncIterator[Server]:
    """Run a server on the running loop."""
    server = Server(respond, **given)
    async with listening(server.serve) as server.port:
        yield server
