"""Server-sent events: snapshots of a job, each with its revision as the event's id.

An event is the whole job, so one that was missed does no harm. A comment goes out when nothing
changes for a while, which keeps proxies from closing the line and shows whether the caller's
session still stands.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import MediamillError
from mediamill.store.repositories.jobs import Job
from mediamill.web.security import secret_of
from mediamill.web.views.jobs import JobView, job_view

BEAT_SECONDS = 5.0
T = TypeVar("T")


async def job_events(request: Request, app: App, principal: Principal, job_id: str) -> Response:
    """Follow a job until it ends; 204 tells a listener that saw the end to stop."""
    job = await app.jobs.get(principal, job_id)
    if job.state.terminal and request.headers.get("last-event-id") == str(job.revision):
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    body = _lines(app, principal, job_id, secret_of(request))
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def _lines(app: App, principal: Principal, job_id: str, secret: str) -> AsyncIterator[str]:
    """Write events, and progress between changes; stop when the session or the job is gone."""
    shown, known = "", None
    try:
        async for job in beating(app.jobs.watch(principal, job_id), BEAT_SECONDS):
            if job is None:
                await app.accounts.authenticate(secret)
                yield ":\n\n"
                continue
            view = await _view(app, job)
            text = view.model_dump_json(by_alias=True)
            if text != shown or job.revision != known:
                yield f"event: job\nid: {job.revision}\ndata: {text}\n\n"
                shown, known = text, job.revision
    except MediamillError:
        yield "event: gone\ndata: {}\n\n"


async def _view(app: App, job: Job) -> JobView:
    return job_view(job, await app.jobs.progress(job))


async def beating(source: AsyncIterator[T], seconds: float) -> AsyncIterator[T | None]:
    """Pass a source on, with a None at least every so many seconds."""
    coming = asyncio.ensure_future(_next(source))
    beat = asyncio.get_running_loop().time() + seconds
    try:
        while True:
            left = max(0.0, beat - asyncio.get_running_loop().time())
            await asyncio.wait({coming}, timeout=left)
            if not coming.done() or not left:
                yield None
                beat = asyncio.get_running_loop().time() + seconds
            if coming.done():
                value = coming.result()
                if not value:
                    return
                yield value[0]
                coming = asyncio.ensure_future(_next(source))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        if hasattr(source, "aclose"):
            await source.aclose()


async def _next(source: AsyncIterator[T]) -> tuple[T] | tuple[()]:
    try:
        return (await anext(source),)
    except StopAsyncIteration:
        return ()
