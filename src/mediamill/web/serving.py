"""Content as HTTP answers: ranges, validators, safe names, exact lengths (RFC 9110, 6266, 8187).

What users put in never executes: everything is an attachment under a sandboxing policy, except
pictures of a few harmless types where a page shows them. A client that goes away stops the read.
A read that breaks cuts the connection, so that nobody takes half a file for a whole one.
"""

import asyncio
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mediamill.core.errors import BrokenMedia
from mediamill.engine.gathering.ahead import ahead
from mediamill.services.content import Content
from mediamill.web.gateway import gateway_of
from mediamill.web.security import CONTENT_POLICY

INLINE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})
REVALIDATED = "private, no-cache"
KEPT = "private, max-age=3600"
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_RANGE = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", re.ASCII)
_MEDIA_TYPE = re.compile(
    r"[a-z0-9][\w!#$&^.+-]{0,126}/[a-z0-9][\w!#$&^.+-]{0,126}", re.ASCII | re.IGNORECASE
)


def serve(
    request: Request, content: Content, *, inline: bool = False, cache: str = REVALIDATED
) -> Response:
    """Answer a GET or HEAD with content; `inline` lets harmless pictures show in a page."""
    headers = _headers(content, inline=inline, cache=cache)
    if unchanged(request, content):
        return Response(status_code=304, headers=headers)
    span = _span(request, content)
    if span is None:
        headers["Content-Range"] = f"bytes */{content.size}"
        return Response(status_code=416, headers=headers)
    start, stop, status = span
    gateway = gateway_of(request.scope)
    if status == 206 and gateway.exceeds(stop - start):
        stop = start + (gateway.most or 0)  # a part of what is asked for is an answer too
    elif request.method == "GET":
        gateway.refuse(stop - start, ranged=content.ranged)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
    headers["Content-Type"] = _media_type(content)
    return Streamed(lambda: content.read(start, stop), stop - start, status, headers)


def disposition(name: str, *, inline: bool = False) -> str:
    """Write a Content-Disposition that every client reads and nothing in `name` can break."""
    shown = "".join(
        c for c in name if unicodedata.category(c) not in {"Cc", "Cs"} and c not in BIDI
    )
    shown = shown.replace("/", "_").replace("\\", "_").strip() or "download"
    plain = "".join(c if " " <= c <= "~" and c not in '"%' else "_" for c in shown)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe='')}"


def _headers(content: Content, *, inline: bool, cache: str) -> dict[str, str]:
    return {
        "ETag": f'"{content.etag}"',
        "Accept-Ranges": "bytes" if content.ranged else "none",
        "Cache-Control": cache,
        "Content-Security-Policy": CONTENT_POLICY,
        "Content-Disposition": disposition(
            content.name, inline=inline and content.media_type in INLINE
        ),
    }


def _media_type(content: Content) -> str:
    known = _MEDIA_TYPE.fullmatch(content.media_type)
    return content.media_type if known else "application/octet-stream"


def unchanged(request: Request, content: Content) -> bool:
    """Compare as If-None-Match does: weakly, against a list."""
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or f'"{content.etag}"' in tags


def _span(request: Request, content: Content) -> tuple[int, int, int] | None:
    """Return start, stop and status of what is asked for; None when there is nothing there."""
    whole = (0, content.size, 200)
    header = request.headers.get("range")
    if request.method != "GET" or header is None or not content.ranged:
        return whole
    if request.headers.get("if-range", f'"{content.etag}"') != f'"{content.etag}"':
        return whole
    found = _RANGE.fullmatch(header)
    if not found or found.group() == "bytes=-":
        return whole
    return _within(found.group(1), found.group(2), content.size)


def _within(first: str, last: str, size: int) -> tuple[int, int, int] | None:
    if not first and not last:
        return 0, size, 200
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return 0, size, 200
    return (start, stop, 206) if start < stop else None


class Streamed(Response):
    """An answer of known length whose bytes are read while they are sent."""

    def __init__(
        self,
        read: Callable[[], AsyncIterator[bytes]],
        length: int,
        status: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(None, status, {**headers, "Content-Length": str(length)})
        self._read, self._length = read, length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD" or not self._length:
            await self._begin(send)
            await send({"type": "http.response.body", "body": b""})
            return
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _begin(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})

    async def _send(self, send: Send) -> None:
        """Send every byte; raises `BrokenMedia` when there are fewer or more than promised.

        Nothing is sent before the first bytes have been read, so that what fails at once is
        answered as the error that it is.
        """
        chunks, left = self._read(), self._length
        if isinstance(chunks, AsyncGenerator):
            chunks = ahead(chunks)  # the next are read while these are sent
        try:
            async for chunk in chunks:
                if left == self._length:
                    await self._begin(send)
                left -= len(chunk)
                if left < 0:
                    break
                body = {"type": "http.response.body", "body": bytes(chunk)}
                await send({**body, "more_body": left > 0})
        finally:
            if hasattr(chunks, "aclose"):
                await chunks.aclose()
        if left:
            raise BrokenMedia("stored bytes are not as many as recorded")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
