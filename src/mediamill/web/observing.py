"""What surrounds every request: its id, its log line, its metrics, its last line of defence."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mediamill.core.ids import new_id
from mediamill.core.metrics import REQUEST_SECONDS, REQUESTS
from mediamill.core.numbers import Numbers
from mediamill.core.tracing import Kind, Tracer, begun
from mediamill.web.problems import log_broken_off, log_failure
from mediamill.web.rates import rate_headers
from mediamill.web.security import DATA_POLICY, HEADERS, HSTS, PAGE_POLICY

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLIENT_GONE = 499
WATCHED = ("/health/", "/metrics", "/static/")
"""What is in no trace."""

log = structlog.get_logger(__name__)


class Observing:
    """The outermost middleware."""

    def __init__(
        self,
        app: ASGIApp,
        numbers: Numbers,
        tracer: Tracer | None,
        failure: Callable[[Request, Exception], Response],
        bucket: str,
    ) -> None:
        """`bucket` is the origin of what pages may talk to beside this service, if anything."""
        self.app, self.numbers, self.tracer, self.failure = app, numbers, tracer, failure
        self.policy = PAGE_POLICY.format(talks=" ".join(filter(None, ("'self'", bucket))))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self.policy)
        with structlog.contextvars.bound_contextvars(request=exchange.id), self._traced(exchange):
            try:
                await self.app(scope, receive, exchange.send)
            except ClientDisconnect:
                exchange.status = exchange.status or CLIENT_GONE
            except Exception as error:
                if exchange.status:
                    log_broken_off(error, method=scope["method"], route=exchange.route)
                    raise  # the answer has begun: only a cut connection says that it is broken
                log_failure(error, method=scope["method"], route=exchange.route)
                await self.failure(Request(scope), error)(scope, receive, exchange.send)
            finally:
                self._record(exchange)

    @contextmanager
    def _traced(self, exchange: "_Exchange") -> Iterator[None]:
        """Open the span of a request; who asks after our health is in none."""
        watched = exchange.scope["path"].startswith(WATCHED)
        tracer = None if watched else self.tracer
        parent = Headers(scope=exchange.scope).get("traceparent")
        facts = {"request": exchange.id, "method": exchange.method}
        with begun(tracer, exchange.method, Kind.SERVER, parent, **facts) as span:
            try:
                yield
            finally:
                span.rename(f"{exchange.method} {exchange.route}")
                span.note(route=exchange.route, status=exchange.status or CLIENT_GONE)
                if exchange.status >= 500:
                    span.fail(str(exchange.status))

    def _record(self, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.begun
        status = exchange.status or CLIENT_GONE
        self.numbers.count(REQUESTS, exchange.method, exchange.route, str(status))
        self.numbers.time(REQUEST_SECONDS, seconds, exchange.method, exchange.route)
        level = log.debug if exchange.route.startswith("/health") else log.info
        level(
            "request",
            action="request",
            method=exchange.method,
            route=exchange.route,
            status=status,
            seconds=round(seconds, 4),
            **exchange.context(),
        )


class _Exchange:
    """One request and its answer; adds the headers that every answer has."""

    def __init__(self, scope: Scope, send: Send, policy: str) -> None:
        """`policy` is what pages may do."""
        self.scope, self._send, self._policy = scope, send, policy
        self.id = new_id("req")
        self.begun = time.perf_counter()
        self.status = 0
        scope.setdefault("state", {})["request_id"] = self.id

    @property
    def method(self) -> str:
        method = self.scope["method"]
        return method if method in METHODS else "OTHER"

    @property
    def route(self) -> str:
        """The template of the route that matched: addresses people invent make no new series."""
        return str(getattr(self.scope.get("route"), "path", "") or "(none)")

    def context(self) -> dict[str, Any]:
        user = self.scope["state"].get("user")
        client = self.scope.get("client")
        return {"user": user, "client": client[0] if client else None}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            further = self._further(message["headers"])
            message["headers"] = [*message["headers"], *further]
        await self._send(message)

    def _further(self, present: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name.lower(): value for name, value in present}
        page = names.get(b"content-type", b"").startswith(b"text/html")
        wanted = {
            **HEADERS,
            "content-security-policy": self._policy if page else DATA_POLICY,
            "x-request-id": self.id,
            **rate_headers(self.scope),
        }
        if self.scope.get("scheme") == "https":  # over plain HTTP browsers take no notice of it
            wanted["strict-transport-security"] = HSTS
        return [(n.encode(), v.encode()) for n, v in wanted.items() if n.encode() not in names]
