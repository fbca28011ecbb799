"""Do what flows ask for: with httpx in this thread, or in coroutines."""

import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, closing, nullcontext
from typing import Any, Generic, TypeVar, cast

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
from mediamill.client.errors import ClientError, Unexpected, Unreachable
from mediamill.client.sources import Part

T = TypeVar("T")
C = TypeVar("C", httpx.Client, httpx.AsyncClient)

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before anything of a request had left."""


class Doors(Generic[C]):
    """The connections of a client: to its server, and to others, which few calls need."""

    def __init__(self, ours: C, other: Callable[[], C]) -> None:
        """`other` makes what is for addresses that are signed already: it shows nothing of ours."""
        self.ours: C = ours
        self._other: Callable[[], C] = other
        self._foreign: C | None = None
        self._making = threading.Lock()

    @property
    def all(self) -> list[C]:
        """Return those that were made."""
        return [self.ours] if self._foreign is None else [self.ours, self._foreign]

    def of(self, wanted: Request) -> C:
        """Return what sends a request."""
        if not wanted.plain:
            return self.ours
        with self._making:
            if self._foreign is None:
                self._foreign = self._other()
            return self._foreign

    def built(self, wanted: Request, content: Any) -> tuple[C, httpx.Request]:
        """Make a request; raises `Unexpected` where it would show our token to another host."""
        http = self.of(wanted)
        built = http.build_request(
            wanted.method, wanted.path, content=content, **_options(wanted, http.timeout)
        )
        if not wanted.plain and _origin(built.url) != _origin(http.base_url):
            message = f"{_shown(built.url)} is another host than the server’s: nothing was sent."
            raise Unexpected(message)
        return http, built


class Blocking:
    """Drives flows in the calling thread; several threads may share one."""

    def __init__(self, ours: httpx.Client, other: Callable[[], httpx.Client]) -> None:
        """Take what `Doors` takes."""
        self._doors = Doors(ours, other)

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
        for http in self._doors.all:
            http.close()

    def _steps(self, flow: Flow[T]) -> Generator[Any, None, T]:
        line = _Line(self._doors)
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
                except Exception as failure:
                    error = _told(failure, self._doors.ours.base_url)
        finally:
            flow.close()
            line.close()


class _Line:
    """One flow's connection."""

    def __init__(self, doors: Doors[httpx.Client]) -> None:
        self._doors = doors
        self._open: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def do(self, effect: Effect[Any]) -> Any:
        """Do one thing and return what came of it."""
        match effect:
            case Request():
                http, request = self._built(effect)
                answer = http.send(request, follow_redirects=effect.follow)
                return Response(_here(answer).status_code, answer.headers, answer.content)
            case Open(request=wanted, piece=piece):
                self.close()
                http, request = self._built(wanted)
                response = http.send(request, stream=True, follow_redirects=wanted.follow)
                self._open, self._pieces = response, response.iter_bytes(piece)
                return Response(_here(response).status_code, response.headers)
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
        content = wanted.content
        return self._doors.built(
            wanted, content if isinstance(content, bytes | None) else iter(content)
        )


class Awaiting:
    """Drives flows as coroutines; what blocks is done in threads."""

    def __init__(self, ours: httpx.AsyncClient, other: Callable[[], httpx.AsyncClient]) -> None:
        """Take what `Doors` takes."""
        self._doors = Doors(ours, other)

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
        for http in self._doors.all:
            await http.aclose()

    async def _steps(
        self, flow: Flow[T], returned: Callable[[T], None]
    ) -> AsyncGenerator[Any, None]:
        line = _AsyncLine(self._doors)
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
                except Exception as failure:
                    error = _told(failure, self._doors.ours.base_url)
        finally:
            flow.close()
            with anyio.CancelScope(shield=True):
                await line.close()


class _AsyncLine:
    """One flow's connection."""

    def __init__(self, doors: Doors[httpx.AsyncClient]) -> None:
        self._doors = doors
        self._open: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def do(self, effect: Effect[Any]) -> Any:
        """Do one thing and return what came of it."""
        match effect:
            case Request():
                http, request = self._built(effect)
                answer = await http.send(request, follow_redirects=effect.follow)
                return Response(_here(answer).status_code, answer.headers, answer.content)
            case Open(request=wanted, piece=piece):
                await self.close()
                http, request = self._built(wanted)
                response = await http.send(request, stream=True, follow_redirects=wanted.follow)
                self._open, self._pieces = response, response.aiter_bytes(piece)
                return Response(_here(response).status_code, response.headers)
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
        content = wanted.content
        return self._doors.built(
            wanted, content if isinstance(content, bytes | None) else _passed(content)
        )


async def _passed(body: Body) -> AsyncIterator[bytes]:
    """Read a body in threads, for reading blocks; what has left is told on the loop."""
    part = body if isinstance(body, Part) else None
    pieces = iter(body) if part is None else part.pieces()
    if part is not None:
        part.begun(part.start)
    with nullcontext() if part is None else closing(cast("Generator[bytes]", pieces)):
        while piece := await _threaded(lambda: next(pieces, b"")):
            yield piece
            if part is not None:
                part.sent(len(piece))


def _threaded(do: Callable[[], T]) -> Awaitable[T]:
    return anyio.to_thread.run_sync(do)


def _options(wanted: Request, usual: httpx.Timeout) -> dict[str, Any]:
    """Return what httpx is told of a request beside its body.

    An answer that the server is asked to hold (`wait`, in seconds) may take so much longer.
    """
    given: dict[str, Any] = {"headers": dict(wanted.headers)}
    if wanted.params:  # without any, those in the path stay
        given["params"] = dict(wanted.params)
    if wanted.json is not None:
        given["json"] = wanted.json
    wait, within = wanted.params.get("wait"), wanted.within
    held = wait if isinstance(wait, int | float) else 0
    if held or within is not None:
        read = None if usual.read is None else usual.read + held
        given["timeout"] = httpx.Timeout(
            connect=_least(usual.connect, within), read=_least(read, within), write=usual.write,
            pool=usual.pool,
        )  # fmt: skip
    return given


def _least(usual: float | None, within: float | None) -> float | None:
    return min((one for one in (usual, within) if one is not None), default=None)


def _here(response: httpx.Response) -> httpx.Response:
    """Return an answer; raises `Unexpected` for one that points elsewhere and is not followed."""
    if response.next_request is None:
        return response
    place = response.next_request.url
    message = f"The server sends on to {_shown(place)}: is that its address? Nothing was done."
    raise Unexpected(message)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _shown(url: httpx.URL) -> str:
    """Write where an address is, without what may be secret in it."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _told(error: Exception, server: httpx.URL) -> Exception:
    """Return what a failure of httpx means for the caller; other failures stay."""
    match error:
        case httpx.LocalProtocolError():  # its text shows headers, and so may show the token
            return ClientError("A request like this cannot be sent: look at its headers and body.")
        case httpx.TransportError():
            return _unreachable(error, server)
        case httpx.DecodingError() | httpx.TooManyRedirects():
            return Unexpected(f"The answer of {_shown(server)} cannot be read ({error}).")
    return error


def _unreachable(error: httpx.TransportError, server: httpx.URL) -> Unreachable:
    reason = str(error) or type(error).__name__
    shown = str(server).rstrip("/")
    message = f"The server {shown} does not answer ({reason})."
    return Unreachable(message, sent=not isinstance(error, UNSENT), reason=reason)
