"""Pages go compressed to who takes that.

Only pages: answers of the API go as they are, and static files are compressed once. Other sites can
have a browser open a page with its session and with words of theirs in the address, and whoever
sees the line its length (BREACH). Pages hold no secret that could be guessed by that: tokens are in
answers of the API, and on a page only where its own address has it.
"""

import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST = 1_000
"""Bytes of a page that is worth it."""
LEVEL = 5


class Compressing:
    """Compress pages that come whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not takes_gzip(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        held: list[Message] = []

        async def later(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                held.append(message)
                return
            if held:
                await send(_begun(held.pop(), message))
            await send(message)

        await self.app(scope, receive, later)


def takes_gzip(asked: Headers) -> bool:
    """Read an Accept-Encoding (RFC 9110, 12.5.3)."""
    for one in asked.get("accept-encoding", "").lower().split(","):
        name, _, rest = one.strip().partition(";")
        if name.strip() in {"gzip", "*"}:
            return rest.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_page(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    page = headers.get("content-type", "").startswith("text/html")
    return page and "content-encoding" not in headers


def _begun(start: Message, body: Message) -> Message:
    """Compress a body in its place if it is whole; return the start that belongs to it."""
    headers = MutableHeaders(raw=list(start["headers"]))
    headers.add_vary_header("Accept-Encoding")
    if not body.get("more_body") and len(body.get("body", b"")) >= LEAST:
        body["body"] = gzip.compress(body["body"], LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body["body"]))
    return {**start, "headers": headers.raw}
