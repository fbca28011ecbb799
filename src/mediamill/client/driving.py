"""Do what flows ask for: with httpx in this thread, or in coroutines."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread
import httpx

from mediamill.client.calling import (
    Body,
    Close,
    Effect,
    Flow,
    Give,
    Open,
    Pause,
    Read,
    Request,
    Response,
    Rows,
    Work,
)  # fmt: skip
from mediamill.client.errors import Unreachable

T = TypeVar("T")

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before anything of a request had left."""


class Blocking:
    """Drives flows in the calling thread; several threads may share one."""

    def __init__(self, ours: httpx.Client, foreign: httpx.Client) -> None:
        """`foreign` is for addresses that are signed already: it shows nothing of ours."""
        self._ours, self._foreign = ours, foreign

    def run(self, flow: Flow[T]) -> T:
        """Return what a flow returns."""
        steps = self._steps(flow)
        try:
            while True:
                next(steps)
        except StopIteration as end:
            return cast("T", end.value)

    def iterate(self, flow: Rows[T]) -> Iterator[T]:
        """Yield what a flow gives."""
        with closing(self._steps(flow)) as steps:
            yield from steps

    def close(self) -> None:
        """Close all connections."""
        self._ours.close()
        self._foreign.close()

    def _steps(self, flow: Flow[T]) -> Generator[Any, None, T]:
        line = _Line(self._ours, self._foreign)
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    effect: Effect[Any] = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as end:
                    return cast("T", end.value)
                answer = error = None
                if isinstance(effect, Give):
                    yield effect.value
                    continue
                try:
                    answer = line.do(effect)
                except httpx.TransportError as failure:
                    error = _unreachable(failure, self._ours.base_url)
                except Exception as failure:
                    error = failure
        finally:
            flow.close()
            line.close()


class _Line:
    """One flow's connection."""

    def __init__(self, ours: httpx.Client, foreign: httpx.Client) -> None:
        self._ours, self._foreign = ours, foreign
        self._open: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def do(self, effect: Effect[Any]) -> Any:
        """Do one thing and return what came of it."""
        match effect:
            case Request():
                http, request = self._built(effect)
                return _answer(http.send(request, follow_redirects=effect.follow))
            case Open(request=wanted, piece=piece):
                self.close()
                http, request = self._built(wanted)
                response = http.send(request, stream=True, follow_redirects=wanted.follow)
                self._open, self._pieces = response, response.iter_bytes(piece)
                return Response(response.status_code, response.headers)
            case Read():
                return next(self._pieces, b"")
            case Close():
                return self.close()
            case Pause(seconds=seconds):
                return time.sleep(seconds)
            case Work(do=do):
                return do()
        raise TypeError(effect)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self._pieces = None, iter(())

    def _built(self, wanted: Request) -> tuple[httpx.Client, httpx.Request]:
        http = self._foreign if wanted.plain else self._ours
        content = wanted.content if isinstance(wanted.content, bytes | None) else iter(
            wanted.content)  # fmt: skip
        return http, http.build_request(wanted.method, wanted.path, content=content,
                                        **_options(wanted))  # fmt: skip


class Awaiting:
    """Drives flows as coroutines; what blocks is done in threads."""

    def __init__(self, ours: httpx.AsyncClient, foreign: httpx.AsyncClient) -> None:
        """`foreign` is for addresses that are signed already: it shows nothing of ours."""
        self._ours, self._foreign = ours, foreign

    async def run(self, flow: Flow[T]) -> T:
        """Return what a flow returns."""
        found: list[T] = []
        async with aclosing(self._steps(flow, found.append)) as steps:
            async for _ in steps:
                pass
        return found[0]

    async def iterate(self, flow: Rows[T]) -> AsyncIterator[T]:
        """Yield what a flow gives."""
        async with aclosing(self._steps(flow, lambda _: None)) as steps:
            async for value in steps:
                yield value

    async def close(self) -> None:
        """Close all connections."""
        await self._ours.aclose()
        await self._foreign.aclose()

    async def _steps(
        self, flow: Flow[T], returned: Callable[[T], None]
    ) -> AsyncGenerator[Any, None]:
        line = _AsyncLine(self._ours, self._foreign)
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    effect: Effect[Any] = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as end:
                    returned(end.value)
                    return
                answer = error = None
                if isinstance(effect, Give):
                    yield effect.value
                    continue
                try:
                    answer = await line.do(effect)
                except httpx.TransportError as failure:
                    error = _unreachable(failure, self._ours.base_url)
                except Exception as failure:
                    error = failure
        finally:
            flow.close()
            with anyio.CancelScope(shield=True):
                await line.close()


class _AsyncLine:
    """One flow's connection."""

    def __init__(self, ours: httpx.AsyncClient, foreign: httpx.AsyncClient) -> None:
        self._ours, self._foreign = ours, foreign
        self._open: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def do(self, effect: Effect[Any]) -> Any:
        """Do one thing and return what came of it."""
        match effect:
            case Request():
                http, request = self._built(effect)
                return _answer(await http.send(request, follow_redirects=effect.follow))
            case Open(request=wanted, piece=piece):
                await self.close()
                http, request = self._built(wanted)
                response = await http.send(request, stream=True, follow_redirects=wanted.follow)
                self._open, self._pieces = response, response.aiter_bytes(piece)
                return Response(response.status_code, response.headers)
            case Read():
                return b"" if self._pieces is None else await anext(self._pieces, b"")
            case Close():
                return await self.close()
            case Pause(seconds=seconds):
                return await anyio.sleep(seconds)
            case Work(do=do):
                return await _threaded(do)
        raise TypeError(effect)

    async def close(self) -> None:
        if self._open is not None:
            await self._open.aclose()
        self._open = self._pieces = None

    def _built(self, wanted: Request) -> tuple[httpx.AsyncClient, httpx.Request]:
        http = self._foreign if wanted.plain else self._ours
        content = wanted.content if isinstance(wanted.content, bytes | None) else _passed(
            wanted.content)  # fmt: skip
        return http, http.build_request(wanted.method, wanted.path, content=content,
                                        **_options(wanted))  # fmt: skip


async def _passed(body: Body) -> AsyncIterator[bytes]:
    """Read a body in threads, for reading blocks."""
    pieces = iter(body)
    while piece := await _threaded(lambda: next(pieces, b"")):
        yield piece


def _threaded(do: Callable[[], T]) -> Awaitable[T]:
    return anyio.to_thread.run_sync(do)


def _options(wanted: Request) -> dict[str, Any]:
    """Return what httpx is told of a request beside its body."""
    given: dict[str, Any] = {"headers": dict(wanted.headers)}
    if wanted.params:  # without any, those in the path stay
        given["params"] = dict(wanted.params)
    if wanted.json is not None:
        given["json"] = wanted.json
    return given


def _answer(response: httpx.Response) -> Response:
    return Response(response.status_code, response.headers, response.content)


def _unreachable(error: httpx.TransportError, server: httpx.URL) -> Unreachable:
    reason = str(error) or type(error).__name__
    shown = str(server).rstrip("/")
    message = f"The server {shown} does not answer ({reason})."
    return Unreachable(message, sent=not isinstance(error, UNSENT), reason=reason)
