"""`/metrics`: one reading of a process, and of the installation, as Prometheus scrapes it.

A scrape is answered within five seconds, whatever hangs: what could not be read is left out, but
for queues, of which the last minute's are told; `mediamill_ready` says so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.responses import Response

from mediamill.analytics.noting import last_export
from mediamill.app import App
from mediamill.core.errors import MediamillError
from mediamill.parts import ANSWER_SECONDS
from mediamill.web.metrics.own import Own, look_at_machine
from mediamill.web.metrics.shared import Shared

T = TypeVar("T")


async def scrape(app: App, *, shared: bool) -> Response:
    """Answer a scrape; `shared` adds what all servers of the API tell alike."""
    own, others = await asyncio.gather(read_own(app), read_shared(app) if shared else _nothing())
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(own)
    if others is not None:
        registry.register(others)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


async def read_own(app: App) -> Own:
    """Read what this process tells of itself."""
    health, machine, free = await asyncio.gather(
        app.health(),
        _known(app, "machine", partial(asyncio.to_thread, look_at_machine, app)),
        _known(app, "room", app.blobs.free_bytes),
    )
    return Own(app, bool(health["ok"]), machine, free)


async def read_shared(app: App) -> Shared:
    """Read the installation."""
    work, sums, others, exported = await asyncio.gather(
        asyncio.gather(
            _known(app, "time", app.store.now),
            _known(app, "work", app.work.look),
            _known(app, "workers", app.workers.all),
        ),
        asyncio.gather(
            _known(app, "kept", app.sums.kept),
            _known(app, "spend", app.sums.spend),
        ),
        asyncio.gather(
            _known(app, "stream", app.whole.stream),
            _known(app, "retained", app.kept.overdue),
            _known(app, "circuits", app.models.providers.circuits_now),
        ),
        _known(app, "exported", partial(_exported, app)),
    )
    (now, backlogs, workers), (kept, spend), (stream, retained, circuits) = work, sums, others
    queues = app.work.seen() if backlogs is None else backlogs
    return Shared(
        now, queues, workers, kept, spend, stream or (), retained or (), circuits or (), exported
    )


async def _exported(app: App) -> int | None:
    """Return up to when figures are exported (ms); None where they are to go nowhere."""
    return await last_export(app.store, wanted=True) if app.settings.analytics_url else None


async def _nothing() -> None:
    return None


async def _known(app: App, name: str, read: Callable[[], Awaitable[T]]) -> T | None:
    try:
        return await app.parts.hanging.ask(f"metrics: {name}", read, ANSWER_SECONDS)
    except (MediamillError, TimeoutError):
        return None
