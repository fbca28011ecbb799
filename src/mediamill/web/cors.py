"""Pages of other origins that may use the API, with tokens: cross-origin resource sharing.

Browsers show a page what another origin answers only where the answer names the page's own origin
(Fetch standard, section 3.3). Those of `MEDIAMILL_CORS_ORIGINS` are named, exactly as they stand
there; there is none by default. `Access-Control-Allow-Credentials` is never sent: what a session
can do is for our own pages, and another one brings a token. Only `/v1` takes part.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mediamill.core.errors import ConfigurationError
from mediamill.web.tus import EXPOSED as TUS_EXPOSED

SETTING = "MEDIAMILL_CORS_ORIGINS"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ASKED = (
    "Authorization, Content-Type, Content-Disposition, Idempotency-Key, If-Match, If-None-Match, "
    "If-Range, Range, Last-Event-ID, X-Filename, Tus-Resumable, Upload-Length, Upload-Offset, "
    "Upload-Metadata, Upload-Defer-Length, Upload-Checksum, X-HTTP-Method-Override, "
    "Traceparent, Tracestate"
)
"""Headers that a page may send."""
EXPOSED = (
    f"{TUS_EXPOSED}, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, ETag, "
    "Accept-Ranges, Content-Range, Content-Length, Content-Disposition, Retry-After, RateLimit, "
    "RateLimit-Policy, X-Request-Id, Link, Mediamill-Direct, Mediamill-Max-Body"
)
"""Headers of answers that a page may read."""
KEPT_SECONDS = 7200
"""How long a browser may go by what it was told; Chromium's limit."""


class Cors:
    """Names the origins that are allowed, and answers when a browser asks beforehand."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self.app, self.origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.origins or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        allowed = next((one for one in self.origins if one == origin), "")

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if allowed:
                    answer["Access-Control-Allow-Origin"] = allowed
                    answer["Access-Control-Expose-Headers"] = EXPOSED
            await send(message)

        if allowed and _asks_beforehand(scope, headers):
            await _PREFLIGHT(scope, receive, naming)
        else:
            await self.app(scope, receive, naming)


_PREFLIGHT = Response(
    status_code=204,
    headers={
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": ASKED,
        "Access-Control-Max-Age": str(KEPT_SECONDS),
    },
)


def _asks_beforehand(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def read_origins(text: str) -> frozenset[str]:
    """Read `MEDIAMILL_CORS_ORIGINS`; raises `ConfigurationError` for what no browser sends."""
    return frozenset(_origin(part) for part in text.replace(",", " ").split())


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        usual = {"http": 80, "https": 443}.get(parts.scheme, 0)
        host = parts.hostname or ""
        bracketed = f"[{host}]" if ":" in host else host
        port = "" if parts.port in (None, usual) else f":{parts.port}"
        if text != f"{parts.scheme}://{bracketed}{port}" or not (usual and host.isascii() and host):
            raise ValueError(text)
        if "*" in host:
            raise ValueError(text)
    except ValueError:
        message = f"{SETTING}: “{text}” is no origin as a browser sends it, like https://a.example."
        raise ConfigurationError(message, setting=SETTING) from None
    return text
