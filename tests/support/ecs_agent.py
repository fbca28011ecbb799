"""The agent of an ECS task on 127.0.0.1: a real HTTP server that says what it is told to.

By AWS's description of its endpoint:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """A request: its first line and its JSON."""

    line: str
    said: dict[str, Any]


@dataclass
class Agent:
    """What was asked so far; `answer` is what it says instead of doing as it is told."""

    answer: tuple[int, bytes] | None
    hangs: bool
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def protected(self) -> list[bool]:
        """Return what was asked for, one after the other."""
        return [one.said["ProtectionEnabled"] for one in self.asked]

    async def until_more(self) -> None:
        """Wait until it is asked for something more."""
        self.stirred.clear()
        async with asyncio.timeout(60):
            await self.stirred.wait()

    async def until_last(self, *, protected: bool) -> None:
        """Wait until it was asked for this last."""
        while self.protected[-1:] != [protected]:
            await self.until_more()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *headers = head.decode().split("\r\n")
                size = next(int(one.split(":")[1]) for one in headers
                            if one.lower().startswith("content-length:"))  # fmt: skip
                said = json.loads(await reader.readexactly(size))
                self.asked.append(Asked(line, said))
                self.stirred.set()
                if self.hangs:
                    await asyncio.Event().wait()
                status, body = self.answer or (200, json.dumps({"protection": {
                    "ExpirationDate": "2026-11-23T06:08:00.000Z",
                    "ProtectionEnabled": said["ProtectionEnabled"],
                    "TaskArn": "arn:aws:ecs:us-west-2:012345678910:task/mill/5a9b2c3d",
                }}).encode())  # fmt: skip
                writer.write(
                    f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def agent(
    answer: tuple[int, bytes] | None = None, *, hangs: bool = False
) -> AsyncIterator[Agent]:
    """Run one; it hangs, or says something of its own, where that is asked for."""
    made = Agent(answer, hangs)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await made.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.address = f"http://127.0.0.1:{port}/api/5a9b2c3d"
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
