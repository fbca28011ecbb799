"""A way to a server on 127.0.0.1 that can be cut, shut and made to stand still."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.support.listening import connected, either, listening


@dataclass
class Gate:
    """Forwards to a port while it is open."""

    target: int
    port: int = 0
    passed: int = 0
    """How many connections went through."""
    shut: bool = False
    """Whether new connections are ended at once."""
    moving: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, it holds back all bytes: the other end seems to be there and says nothing."""
    losing: list[bytes] = field(default_factory=list)
    """Requests that hold these bytes get through, one for each, and their answers are lost."""
    _ways: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        """End what goes through now."""
        for way in self._ways:
            way.cancel()

    def close(self) -> None:
        """Be away: end what goes through and let nothing in."""
        self.shut = True
        self.cut()

    def open(self) -> None:
        self.shut = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        self._ways.add(way)
        try:
            if self.shut:
                return
            with suppress(OSError):  # the server is away
                async with connected(self.target) as (onward, back):
                    self.passed += 1
                    lost = asyncio.Event()
                    await either(
                        self._flow(reader, back, asked=lost), self._flow(onward, writer, lost)
                    )
                    back.transport.abort()
        finally:
            self._ways.discard(way)
            writer.transport.abort()

    async def _flow(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        lost: asyncio.Event | None = None,
        asked: asyncio.Event | None = None,
    ) -> None:
        """Forward until the end; what comes once `lost` is set goes nowhere, and is the end.

        `asked` is set by a request whose answer is to be lost.
        """
        with suppress(OSError):
            while data := await source.read(1 << 14):
                await self.moving.wait()
                if lost is not None and lost.is_set():
                    return
                for mark in [mark for mark in self.losing if asked is not None and mark in data]:
                    self.losing.remove(mark)
                    asked.set()
                sink.write(data)
                await sink.drain()


@asynccontextmanager
async def gate_to(target: int) -> AsyncIterator[Gate]:
    """Stand before a port for the length of the block."""
    gate = Gate(target)
    gate.moving.set()
    async with listening(gate.serve) as gate.port:
        yield gate
