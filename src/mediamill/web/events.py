"""Server-sent events: snapshots of one job, or of all jobs of a caller.

An event is the whole job, so one that was missed does no harm. The id of a job's event is its
revision and its progress in thousandths; that of an event of all jobs is the time up to which
everything was told. A comment goes out when nothing changes for a while, which keeps proxies from
closing the line and shows whether the caller's session still stands.

Behind a gateway that takes whole answers only, an answer is what there is to tell now, and `retry`
says when to ask again: listeners do that by themselves.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TypeVar

import msgspec
from fastapi import Request, Response
from starlette.responses import StreamingResponse

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import MediamillError, Unavailable
from mediamill.services.jobs.looks import Deleted, News, Snapshot
from mediamill.services.jobs.watching import Batch
from mediamill.web.gateway import gateway_of
from mediamill.web.security import secret_of
from mediamill.web.views.jobs import job_view

BEAT_SECONDS = 5.0
RETRY = "retry: 2000\n\n"
"""Milliseconds after which a listener connects again."""
LATER = "retry: 3000\n\n"
"""The same where each answer ends at once."""
MEDIA_TYPE = "text/event-stream"
UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
GONE = "event: gone\ndata: {}\n\n"
T = TypeVar("T")


async def job_events(request: Request, app: App, principal: Principal, job_id: str) -> Response:
    """Follow a job until it ends; 204 tells a listener that saw the end to stop."""
    job = await app.jobs.get(principal, job_id)
    seen = request.headers.get("last-event-id", "")
    if job.state.terminal and seen == Snapshot(job, await app.jobs.progress(job)).id:
        return Response(status_code=204)
    source = app.watching.job(principal, job_id)
    if gateway_of(request.scope).whole:
        return await _at_once(source, lambda one: _event(one, one.id) if one.id != seen else "")
    return _stream(_of_job(app, source, secret_of(request), seen))


async def all_events(request: Request, app: App, principal: Principal) -> Response:
    """Follow all jobs of the caller, without end."""
    seen = request.headers.get("last-event-id", "")
    since = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 15 else None
    source = app.watching.all(principal, since)
    if gateway_of(request.scope).whole:
        return await _at_once(source, lambda one: _together(one) if one.news else _time(one))
    return _stream(_of_all(app, source, secret_of(request)))


def _stream(body: AsyncIterator[str]) -> Response:
    return StreamingResponse(body, media_type=MEDIA_TYPE, headers=UNBUFFERED)


async def _at_once(source: AsyncIterator[T], written: Callable[[T], str]) -> Response:
    """Answer with the first that a source has, and when to come again."""
    async with aclosing(beating(source, BEAT_SECONDS)) as found:
        one = await anext(found)
    text = LATER if one is None else LATER + written(one)
    return Response(text, media_type=MEDIA_TYPE, headers=UNBUFFERED)


async def _of_job(
    app: App, source: AsyncIterator[Snapshot], secret: str, seen: str
) -> AsyncIterator[str]:
    """Write a job's events; stop when the session or the job is gone."""
    yield RETRY
    try:
        async for one in beating(source, BEAT_SECONDS):
            if one is None:
                await app.accounts.authenticate(secret)
                yield ":\n\n"
                continue
            if one.id != seen:
                yield _event(one, one.id)
            seen = ""
    except Unavailable:
        return  # they connect again by themselves
    except MediamillError:
        yield GONE


async def _of_all(app: App, source: AsyncIterator[Batch], secret: str) -> AsyncIterator[str]:
    """Write batches, and the time now and then, which later listening goes on from."""
    yield RETRY
    clock, told = asyncio.get_running_loop(), float("-inf")
    try:
        async for batch in beating(source, BEAT_SECONDS):
            if batch is not None and batch.news:
                yield _together(batch)
            elif clock.time() - told >= BEAT_SECONDS:
                await app.accounts.authenticate(secret)
                told = clock.time()
                yield ":\n\n" if batch is None else _time(batch)
    except Unavailable:
        return  # they connect again by themselves
    except MediamillError:
        yield GONE


def _together(batch: Batch) -> str:
    """Write a batch; only its last event has the id, so that none of them is lost."""
    *others, last = batch.news
    return "".join(map(_event, others)) + _event(last, str(batch.time))


def _time(batch: Batch) -> str:
    """Write the time up to which all is told."""
    return f":\nid: {batch.time}\n\n"


def _event(one: News, event_id: str = "") -> str:
    """Write an event."""
    if isinstance(one, Deleted):
        kind, data = "job_deleted", msgspec.json.encode({"id": one.job}).decode()
    else:
        kind = "job"
        data = job_view(one.job, one.progress).model_dump_json(by_alias=True)
    named = f"id: {event_id}\n" if event_id else ""
    return f"event: {kind}\n{named}data: {data}\n\n"


async def beating(source: AsyncIterator[T], seconds: float) -> AsyncGenerator[T | None]:
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
