"""A proxy before a server on which requests go wrong as a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

DROPPED = {"Transfer-Encoding", "Content-Encoding", "Connection", "Keep-Alive"}


@dataclass(frozen=True)
class Fault:
    """What befalls one request.

    `lost`: done, and the connection cut before the answer. `cut`: not even sent on. A number: it is
    answered with that status, and not done. `short`: the answer ends after `after` bytes.
    `wrong`: one of its bytes is another.
    """

    kind: str | int
    method: str = ""
    """Of this method only."""
    path: str = ""
    """Where this is in the path."""
    after: int = 0
    retry_after: str = ""

    def meets(self, request: web.Request) -> bool:
        return self.method in ("", request.method) and self.path in request.path_qs


@dataclass
class Faulty:
    """Forwards to a server; each fault befalls the first request that it is for."""

    target: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of all that came."""
    port: int = 0

    def clear(self) -> None:
        self.faults.clear()
        self.seen.clear()

    def times(self, method: str, path: str) -> int:
        return sum(one[0] == method and path in one[1] for one in self.seen)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path_qs, dict(request.headers)))
        fault = next((one for one in self.faults if one.meets(request)), None)
        if fault is not None:
            self.faults.remove(fault)
        if fault and isinstance(fault.kind, int):
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return web.Response(status=fault.kind, text="planted", headers=headers)
        if fault and fault.kind == "cut":
            return _abort(request)
        headers = {k: v for k, v in request.headers.items() if k not in ("Host", *DROPPED)}
        body = await request.read()
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, f"{self.target}{request.raw_path}", data=body or None,
                headers=headers, allow_redirects=False,
            ) as answer,
        ):  # fmt: skip
            content = await answer.read()
        if fault and fault.kind == "lost":
            return _abort(request)
        if fault and fault.kind == "wrong":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        kept = {k: v for k, v in answer.headers.items() if k not in DROPPED}
        told = web.StreamResponse(status=answer.status, headers=kept)
        if answer.headers.get("Content-Encoding"):
            told.headers["Content-Encoding"] = answer.headers["Content-Encoding"]
        await told.prepare(request)
        if request.method != "HEAD":
            await told.write(content[: fault.after] if fault and fault.kind == "short" else content)
        if fault and fault.kind == "short":
            await asyncio.sleep(0.05)
            return _abort(request)
        return told


def _abort(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def faulty_server(target: str) -> AsyncIterator[Faulty]:
    """Serve a proxy before `target`, an address, on a free port of 127.0.0.1."""
    faulty, app = Faulty(target), web.Application(client_max_size=1 << 28)
    app.router.add_route("*", "/{path:.*}", faulty.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        faulty.port = runner.addresses[0][1]
        yield faulty
    finally:
        await runner.cleanup()
