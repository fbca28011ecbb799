"""What a process tells of itself where nobody asks the API: at a port of its own, or in its log."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn

from mediamill.app import App
from mediamill.cli.service.binding import bind
from mediamill.core.errors import MediamillError
from mediamill.core.lasting import lasting
from mediamill.core.settings import Settings
from mediamill.services.cloudwatch import Changes, line

if TYPE_CHECKING:
    from collections.abc import Iterator

TELL_SECONDS = 60
WHOLE_SECONDS = 30
"""How long the store may take to tell of the installation."""
LEAVE_SECONDS = 1
"""How long a scrape that is under way may take once the worker has ended."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def telling(app: App, *, whole: bool) -> AsyncIterator[None]:
    """Tell CloudWatch each minute while the block runs what was counted, and once more at its end.

    `whole` tells of the installation, too, as each server of the API may.
    """
    changes = Changes(app.parts)
    beside = asyncio.create_task(_each_minute(app, changes, whole=whole))
    try:
        yield
    finally:
        beside.cancel()
        await asyncio.wait({beside})
        _tell(changes.take(), app.settings.metrics_installation)


async def _each_minute(app: App, changes: Changes, *, whole: bool) -> None:
    while True:
        await asyncio.sleep(TELL_SECONDS)
        values = await _whole(app) if whole else {}
        _tell(values | changes.take(), app.settings.metrics_installation)


async def _whole(app: App) -> dict[str, float]:
    try:
        asked = app.parts.hanging.ask("told: whole", app.whole.read, WHOLE_SECONDS)
        _, values = await asked
    except (MediamillError, TimeoutError):
        return {}
    return values


def _tell(values: dict[str, float], installation: str) -> None:
    """Write numbers to standard output; where nobody takes them, work goes on."""
    if not values:
        return
    try:
        sys.stdout.write(f"{line(values, int(time.time() * 1000), installation)}\n")
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        log.warning("numbers not told", action="numbers_not_told", error=str(error))


class _Server(uvicorn.Server):
    """A server for which signals are somebody else's business."""

    @contextmanager
    def capture_signals(self) -> "Iterator[None]":
        yield


def metrics_listener(settings: Settings) -> socket.socket:
    """Open the socket of that port; raises `Failure`."""
    remedy = "Set another MEDIAMILL_METRICS_PORT."
    return bind(settings.metrics_host, settings.metrics_port, remedy)


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
