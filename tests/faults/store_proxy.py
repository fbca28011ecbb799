"""A proxy before an object store, which answers badly as often as it is told to.

`error`: 500 or 503 instead of an answer. `reset`: the request is carried out and its answer lost.
`cut`: the answer ends early. `stall`: nothing moves for a while. `spoil`: one bit of an object is
another when it is read whole; `spoil_sent`: when it is written. A connection carries one request.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from tests.support.listening import connected, listening

STATED = {
    "error": 0.2,
    "cut": 0.05,
    "reset": 0.03,
    "stall": 0.02,
    "spoil": 0.03,
    "spoil_sent": 0.03,
}
"""The parts of all requests that go wrong in R9, and how."""
OUTAGE = (
    b"HTTP/1.1 %d Outage\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s"
)
REASON = b"<Error><Code>%s</Code><Message>on purpose</Message></Error>"
END = b"\r\n\r\n"


def field(head: bytes, name: bytes) -> bytes:
    """Return what a head says of something, in lower case; empty for nothing."""
    for line in head.lower().split(b"\r\n")[1:]:
        if line.startswith(name + b":"):
            return line.partition(b":")[2].strip()
    return b""


def closing(head: bytes) -> bytes:
    """Return a head that says that the connection ends with this, and waits for nothing."""
    lines = head.removesuffix(END).split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"expect:"))]
    return b"\r\n".join([*kept, b"Connection: close"]) + END


async def body_of(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Read the body that a head announces, as it came."""
    if field(head, b"transfer-encoding") != b"chunked":
        return await reader.readexactly(int(field(head, b"content-length") or 0))
    raw = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        raw += line + await reader.readexactly(int(line, 16) + 2)
        if int(line, 16) == 0:
            return raw


class StoreProxy:
    """Carries requests to a port, or does what it should not; `done` counts that."""

    def __init__(self, upstream: int, stall: float = 3.0, seed: int = 9) -> None:
        self.faults: Mapping[str, float] = {}
        self.done: Counter[str] = Counter()
        self._upstream, self._stall, self._chance = upstream, stall, random.Random(seed)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Give the port that it listens on for the length of the block."""
        async with listening(self._serve, limit=1 << 20) as port:
            yield port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(END)
            if field(head, b"expect"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            writer.write(await self._answered(head, await body_of(reader, head)))
            await writer.drain()

    async def _answered(self, head: bytes, body: bytes) -> bytes:
        """Return the answer to a request, or what is left of it."""
        fault = self._drawn(head, body)
        self.done[fault or "good"] += 1
        if fault == "error":
            code, name = self._chance.choice([(500, b"InternalError"), (503, b"SlowDown")])
            return OUTAGE % (code, len(REASON % name), REASON % name)
        if fault == "stall":
            await asyncio.sleep(self._stall)
        if fault == "spoil_sent":
            body = self._flipped(body)
        answer, said = await self._passed_on(head, body)
        if fault == "reset":
            return b""
        if fault == "cut":
            said = said[: self._chance.randrange(len(said))] if said else said
        if fault == "spoil" and answer.split(b" ")[1] == b"200" and said:
            said = self._flipped(said)
        return closing(answer) + said

    def _drawn(self, head: bytes, body: bytes) -> str:
        """Draw what goes wrong; a bit is changed only in what has a checksum to tell."""
        drawn = self._chance.random()
        for name, part in self.faults.items():
            if drawn < part:
                read = head.startswith(b"GET") and b"?" not in head.split(b" ", 2)[1]
                whole = read and not field(head, b"range")
                sent = head.startswith(b"PUT") and bool(body)
                fits = {"spoil": whole, "spoil_sent": sent}
                return name if fits.get(name, True) else ""
            drawn -= part
        return ""

    def _flipped(self, data: bytes) -> bytes:
        place = self._chance.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    async def _passed_on(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Send a request on; return head and body of the answer."""
        async with connected(self._upstream, limit=1 << 20) as (reader, writer):
            writer.write(closing(head) + body)
            await writer.drain()
            answer = await reader.readuntil(END)
            bodiless = head.startswith(b"HEAD") or answer.split(b" ")[1] in (b"204", b"304")
            return answer, b"" if bodiless else await body_of(reader, answer)
