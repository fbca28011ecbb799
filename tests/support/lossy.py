"""A proxy before DynamoDB that loses answers, fails and throttles, as the test says."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

Fault = str
"""`lost`: done, and the connection cut before the answer. `cut`: not even sent on. `failed`: done,
and answered with 500. `throttled`: refused, not done. Empty: none."""
FAULTS = ("lost", "cut", "failed", "throttled")
JSON = "application/x-amz-json-1.0"


@dataclass
class Lossy:
    """Forwards to a server; `faults` are used up one by one, then `drawn` says."""

    target: str
    faults: list[Fault] = field(default_factory=list)
    drawn: Callable[[], Fault] = lambda: ""
    only: str = ""
    """The operation that is disturbed; all if empty."""
    seen: list[tuple[str, Fault]] = field(default_factory=list)
    port: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body, operation = await request.read(), request.headers["X-Amz-Target"].partition(".")[2]
        fault = self._next() if not self.only or self.only == operation else ""
        self.seen.append((operation, fault))
        if fault == "throttled":
            return _error(400, "ProvisionedThroughputExceededException")
        if fault != "cut":
            async with (
                aiohttp.ClientSession(auto_decompress=False) as session,
                session.post(self.target, data=body, headers=request.headers) as answer,
            ):
                content, kept = await answer.read(), answer.headers
                if fault == "failed":
                    return _error(500, "InternalServerError")
                if not fault:
                    names = ("Date", "Content-Type", "x-amz-crc32")
                    headers = {name: kept[name] for name in names if name in kept}
                    return web.Response(status=answer.status, body=content, headers=headers)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _next(self) -> Fault:
        return self.faults.pop(0) if self.faults else self.drawn()


def _error(status: int, code: str) -> web.Response:
    body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "planted"}}'
    return web.Response(status=status, text=body, content_type=JSON)


@asynccontextmanager
async def lossy_server(target: str) -> AsyncIterator[Lossy]:
    """Serve a proxy before `target`, an address, on a free port of 127.0.0.1."""
    lossy, app = Lossy(target), web.Application(client_max_size=1 << 25)
    app.router.add_post("/", lossy.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        lossy.port = runner.addresses[0][1]
        yield lossy
    finally:
        await runner.cleanup()


def some(share: float, seed: int) -> Callable[[], Fault]:
    """Draw a fault for a share of the requests."""
    source = random.Random(seed)
    return lambda: source.choice(FAULTS) if source.random() < share else ""
