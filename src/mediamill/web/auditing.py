"""The audit trail of requests: what each has done, and whether it was denied, before it answers.

Denied is who is told 401 or 403, and 404 for something that their address names: it may be there,
and somebody else's. What a service says of itself (`core/acts.py`) comes first: a sign-in that is
refused is told as that.
"""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mediamill.core.acts import MAX_AGENT, Acts, Noted, Origin, collecting
from mediamill.services.audit.trail import Trail
from mediamill.store.port import MAX_INDEXED
from mediamill.store.repositories.audit import NOBODY

DENIED = frozenset({401, 403, 404})


class Auditing:
    """Writes the acts of each request into the trail."""

    def __init__(self, app: ASGIApp, trail: Trail) -> None:
        self.app, self.trail = app, trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        written = False

        async def writing(message: Message) -> None:
            nonlocal written
            if message["type"] == "http.response.start" and not written:
                written = True
                await self._write(scope, acts, message["status"])
            await send(message)

        with collecting(_origin(scope)) as acts:
            try:
                await self.app(scope, receive, writing)
            finally:
                if not written:  # it broke off, and has done what it has
                    await self._write(scope, acts, 0)

    async def _write(self, scope: Scope, acts: Acts, status: int) -> None:
        about = _named(scope)
        denied = status in DENIED and (status != 404 or about is not None)
        if denied and not any(one.denied for one in acts.noted):
            route = f"{scope['method']} {getattr(scope.get('route'), 'path', '')}"
            facts = {"route": route, "status": status}
            acts.noted.append(Noted("denied", about, None, denied=True, details=facts))
        if acts.noted:
            await self.trail.write(acts, scope.get("state", {}).get("user") or NOBODY)


def _origin(scope: Scope) -> Origin:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    client = scope.get("client")
    return Origin(
        address=client[0] if client else "",
        agent=headers.get(b"user-agent", b"").decode("latin-1")[:MAX_AGENT],
        request=str(scope.get("state", {}).get("request_id", "")),
    )


def _named(scope: Scope) -> str | None:
    """Return the first id that a request's address names; None for none."""
    given: dict[str, Any] = scope.get("path_params") or {}
    for name, value in given.items():
        if name != "token" and isinstance(value, str) and value:
            return value.replace("\0", "\ufffd")[: MAX_INDEXED // 4]  # no store takes a NUL
    return None
