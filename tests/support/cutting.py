"""A TCP proxy on 127.0.0.1 that resets its connections after so many bytes from the client."""

import socket
import struct
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.support.listening import connected, either, listening

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


@dataclass
class Cutter:
    """Forwards to a port; each entry of `cuts` ends one connection after so many bytes."""

    target: int
    cuts: list[int] = field(default_factory=list)
    port: int = 0
    done: int = 0
    """How many connections were cut."""
    passed: int = 0
    """How many bytes clients have sent in all."""
    held: bool = False
    """Whether a cut connection, instead of being reset, stays silent until the client goes.

    What is begun is in its middle then, however late anybody looks.
    """

    async def serve(self, reader, writer):
        with suppress(OSError):
            async with connected(self.target) as (onward, back):
                await either(self._forth(reader, back, writer), pump(onward, writer))

    async def _forth(self, reader, back, writer):
        """Forward what the client sends; cut it in the middle when its time has come."""
        passed = 0
        while data := await reader.read(1 << 14):
            self.passed += len(data)
            if self.cuts and passed + len(data) > self.cuts[0]:
                keep = self.cuts.pop(0) - passed
                self.done += 1
                back.write(data[: max(0, keep)])
                await back.drain()
                if self.held:
                    while await reader.read(1 << 16):
                        pass
                    return
                for end in (back, writer):
                    end.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, RESET
                    )
                    end.transport.abort()
                return
            passed += len(data)
            back.write(data)
            await back.drain()


async def pump(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def cutting(target: int, cuts: Sequence[int] = (), *, held: bool = False):
    """Run a proxy for the length of the block."""
    cutter = Cutter(target, [*cuts], held=held)
    async with listening(cutter.serve) as cutter.port:
        yield cutter
