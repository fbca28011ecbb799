"""The port of a worker that runs by itself: its numbers and its health, for who watches it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn

from mediamill.app import App
from mediamill.core.lasting import lasting

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAVE_SECONDS = 1
"""How long a scrape that is under way may take once the worker has ended."""

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """A server for which signals are somebody else's business."""

    @contextmanager
    def capture_signals(self) -> "Iterator[None]":
        yield


@asynccontextmanager
async def watched(app: App, listener: socket.socket) -> AsyncIterator[None]:
    """Answer there until the block is left: while the worker drains, too."""
    with lasting():
        from mediamill.web.metrics.alone import create_alone

        web = create_alone(app)
    config = uvicorn.Config(
        web, log_config=None, access_log=False, server_header=False, ws="none", lifespan="off",
        timeout_graceful_shutdown=LEAVE_SECONDS,
    )  # fmt: skip
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    host, port, *_ = listener.getsockname()
    log.info("metrics served", action="metrics_served", host=host, port=port)
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({serving}, timeout=2 * LEAVE_SECONDS)
        serving.cancel()
