"""The web application behind uvicorn, as `mediamill up` runs it, inside the test's own loop."""

import asyncio
from contextlib import asynccontextmanager, nullcontext

import uvicorn

from mediamill.web.connections import Connection
from tests.support.processes import free_port


class Taken:
    """A web application, and how many bytes of bodies it has taken."""

    def __init__(self, app):
        self.app, self.bytes = app, 0

    async def __call__(self, scope, receive, send):
        async def counted():
            message = await receive()
            self.bytes += len(message.get("body", b""))
            return message

        await self.app(scope, counted, send)

    async def until(self, count):
        """Wait until so many have been taken."""
        async with asyncio.timeout(60):
            while self.bytes < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def served(web):
    """Give the port of an application that is served for the length of the block."""
    port = free_port()
    config = uvicorn.Config(
        web, port=port, log_config=None, access_log=False, http=Connection, ws="none"
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext
    running = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def working(mill):
    """Let a worker do what there is to do, for the length of the block."""
    worker = await mill.worker()
    running = asyncio.ensure_future(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running
