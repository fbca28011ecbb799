"""A way to a server on 127.0.0.1 that can be cut, shut and made to stand still."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


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
        ends, flows = [writer], []
        try:
            if self.shut:
                return
            onward, back = await asyncio.open_connection("127.0.0.1", self.target)
            ends.append(back)
            self.passed += 1
            flows = [
                asyncio.ensure_future(self._flow(*pair))
                for pair in ((reader, back), (onward, writer))
            ]
            await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # cut
        except OSError:
            pass  # the server is away
        finally:
            self._ways.discard(way)
            for flow in flows:
                flow.cancel()
            for end in ends:
                end.transport.abort()
            await asyncio.gather(*flows, return_exceptions=True)

    async def _flow(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 14):
                await self.moving.wait()
                sink.write(data)
                await sink.drain()


@asynccontextmanager
async def gate_to(target: int) -> AsyncIterator[Gate]:
    """Stand before a port for the length of the block."""
    gate = Gate(target)
    gate.moving.set()
    server = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    gate.port = server.sockets[0].getsockname()[1]
    try:
        yield gate
    finally:
        server.close()
        left = [*gate._ways]
        gate.cut()
        await asyncio.gather(*left, return_exceptions=True)
