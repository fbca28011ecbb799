"""GET a file from an address that a user named, or POST a message to one.

Built on httpcore rather than a client above it: what those add (redirects, cookies, proxies and
credentials of the environment, decompression) must not be here, and its network backend is the one
place where a connection is made, so the checked address is the one that is used.
"""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urljoin

import certifi
import httpcore

from mediamill import __version__
from mediamill.adapters.fetch.addresses import Target, read_address
from mediamill.adapters.fetch.guard import SETTING, Guard, PinnedBackend
from mediamill.core.errors import AddressRefused, FetchFailed, SourceUnavailable

PASSING = frozenset({408, 425, 429})
OVERBURDENED = frozenset({429, 503})
MAX_WAIT_MS, MAX_MESSAGE_WAIT_MS = 600_000, 3_600_000
LINE_BYTES = 200
"""So much of the answer to a message is read."""

_WIDE_NAME = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r'filename\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;\s]+))', re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How long a source may take, in seconds; within each `window` it must give `least` bytes."""

    connect: float = 10
    answer: float = 60
    """Looking up, connecting, and all of the answer's head."""
    read: float = 30
    window: float = 60
    least: int = 256 << 10


@dataclass(frozen=True)
class Fetched:
    """An answer whose body is still to be read.

    `start` is the place of its first byte, `size` that of the whole file where it is told.
    `validator` is a strong ETag to continue with, or empty. `name` is what the answer calls it.
    """

    start: int
    size: int | None
    validator: str
    name: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True)
class Told:
    """What a message was answered: the status, and the first line of the text."""

    status: int
    line: str
    after_ms: int = 0
    """How long to wait before another message, where the receiver says so."""


class Fetcher:
    """Asks public addresses, and what the operator allows besides."""

    def __init__(
        self, guard: Guard, patience: Patience | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.guard, self.patience = guard, patience or Patience()
        self._tls = tls

    def close(self) -> None:
        """Give up what is being looked up; nothing is asked afterwards."""
        self.guard.close()

    def check(self, url: str) -> Target:
        """Return a plain address; raises `AddressRefused` for what never can be fetched."""
        target = read_address(url)
        self.guard.check(target)
        return target

    @asynccontextmanager
    async def get(self, url: str, start: int = 0, validator: str = "") -> AsyncIterator[Fetched]:
        """Ask for a file, from byte `start` on if it is still the one of `validator`.

        The answer may begin at 0 although more was asked for: the source cannot continue, or has
        other content now. Raises `AddressRefused`, `FetchFailed` for an answer that is no file,
        `SourceUnavailable` (with `after_ms` where the source says when) for what may pass.
        """
        target = self.check(url)
        async with self._answer(target, _headers(target, start, validator)) as response:
            yield self._fetched(target, response, start if validator else 0, validator)

    def check_post(self, url: str) -> Target:
        """Return a plain address that messages may go to; raises `AddressRefused`.

        Without TLS only what the operator allows by its name or number.
        """
        target = self.check(url)
        if target.scheme != "https" and not self.guard.allows(target):
            raise AddressRefused(
                "Messages go to https:// addresses; an operator may allow another host with "
                f"{SETTING}."
            )
        return target

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Told:
        """Send a message; return what was answered, whatever its status, within so many seconds.

        No redirect is followed. Raises `AddressRefused`, `FetchFailed` where there is no such host
        or its certificate is wrong, `SourceUnavailable` when there is no answer in time.
        """
        target = self.check_post(url)
        sent = {**_headers(target, 0, ""), "Content-Length": str(len(body)), **headers}
        try:
            async with (
                asyncio.timeout(seconds),
                self._answer(target, sent, body) as response,
            ):
                line = await _first_line(response)
                return Told(response.status, line, _asked_wait_ms(response))
        except TimeoutError:
            raise SourceUnavailable(f"{target.host} does not answer in time.") from None

    @asynccontextmanager
    async def _answer(
        self, target: Target, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[httpcore.Response]:
        """Send a request, a POST if it has a body, and yield the head of its answer."""
        patience = self.patience
        timeouts = dict.fromkeys(("read", "write", "pool"), patience.read)
        host = target.bracketed
        url = httpcore.URL(
            scheme=target.scheme.encode(), host=host.encode(), port=target.port,
            target=target.path.encode(),
        )  # fmt: skip
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls_context() if target.scheme == "https" else None,
            network_backend=PinnedBackend(self.guard),
            max_keepalive_connections=0,
        ) as pool:
            request = httpcore.Request(
                "GET" if body is None else "POST", url, headers=[*headers.items()], content=body,
                extensions={"timeout": {**timeouts, "connect": patience.connect}},
            )  # fmt: skip
            try:
                with _told(target):
                    async with asyncio.timeout(patience.answer):
                        response = await pool.handle_async_request(request)
            except TimeoutError:
                raise SourceUnavailable(f"{target.host} does not answer.") from None
            try:
                yield response
            finally:
                await response.aclose()

    def _tls_context(self) -> ssl.SSLContext:
        """Trust what the system and certifi trust; made when first needed."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.load_verify_locations(certifi.where())
        return self._tls

    def _fetched(
        self, target: Target, response: httpcore.Response, start: int, validator: str
    ) -> Fetched:
        """Judge the head of an answer."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1")
                   for name, value in response.headers}  # fmt: skip
        _require_good(target, response.status, headers)
        if headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise FetchFailed(f"{target.host} gives the file compressed, which was not asked for.")
        begins, size = 0, _number(headers.get("content-length", ""))
        if response.status == 206:
            begins, size = _range(target, headers.get("content-range", ""), start)
            if headers.get("etag", validator) != validator:
                raise SourceUnavailable(f"{target.host} has another file now.")
        etag = headers.get("etag", "")
        return Fetched(
            begins,
            size,
            etag if etag.startswith('"') and len(etag) <= 200 else "",
            _given_name(headers.get("content-disposition", "")),
            self._chunks(target, response),
        )

    async def _chunks(self, target: Target, response: httpcore.Response) -> AsyncIterator[bytes]:
        """Read the body; a source that only drips is given up on."""
        patience = self.patience
        began, seen = time.monotonic(), 0
        body = response.aiter_stream()
        while True:
            with _told(target):
                chunk = await anext(body, b"")
            if not chunk:
                return
            seen += len(chunk)
            if time.monotonic() - began > patience.window:
                if seen < patience.least:
                    raise SourceUnavailable(f"{target.host} gives the file far too slowly.")
                began, seen = time.monotonic(), 0
            yield chunk


async def _first_line(response: httpcore.Response) -> str:
    """Read the first line of an answer's text, as far as it may be shown; the rest is left."""
    text = b""
    try:
        async for chunk in response.aiter_stream():
            text += chunk[:LINE_BYTES]
            if len(text) >= LINE_BYTES or b"\n" in text.lstrip():
                break
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
        pass  # the status was told: that is what counts
    lines = text[:LINE_BYTES].decode("utf-8", "replace").strip().splitlines()
    return "".join(c if c.isprintable() else " " for c in lines[0]) if lines else ""


def _headers(target: Target, start: int, validator: str) -> dict[str, str]:
    headers = {
        "Host": target.authority,
        "User-Agent": f"mediamill/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if start and validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    return headers


def _require_good(target: Target, status: int, headers: Mapping[str, str]) -> None:
    """Raise unless the answer is a file or a part of one."""
    if status in (200, 206):
        return
    if 300 <= status < 400:
        raise FetchFailed(f"The address leads on to {_led_to(target, headers)}: import that one.")
    if status >= 500 or status in PASSING:
        wait = _wait_ms(headers.get("retry-after", ""))
        raise SourceUnavailable(f"{target.host} answers {status}.", after_ms=wait)
    hint = " It must be readable without signing in." if status in (401, 403, 407) else ""
    raise FetchFailed(f"{target.host} answers {status}.{hint}")


def _led_to(target: Target, headers: Mapping[str, str]) -> str:
    """Say where a redirect leads, without what may be a secret."""
    try:
        return read_address(urljoin(target.shown, headers.get("location", ""))).shown[:500]
    except (AddressRefused, ValueError):
        return "another address"


@contextmanager
def _told(target: Target) -> Iterator[None]:
    """Turn what goes wrong on the wire into errors of ours."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise _network_failure(target, error) from error
    except httpcore.ProtocolError as error:
        raise SourceUnavailable(f"{target.host} broke off its answer.") from error


def _network_failure(target: Target, error: Exception) -> Exception:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FetchFailed(f"The certificate of {target.host} is not right for it.")
        cause = cause.__cause__ or cause.__context__
    return SourceUnavailable(f"{target.host} cannot be reached, or broke off.")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _range(target: Target, text: str, start: int) -> tuple[int, int | None]:
    """Read a Content-Range; raises `FetchFailed` for another range than was asked for."""
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", text.strip())
    if match is None or int(match[1]) != start:
        raise FetchFailed(f"{target.host} answers with another part of the file than asked for.")
    return start, None if match[3] == "*" else int(match[3])


def _asked_wait_ms(response: httpcore.Response) -> int:
    """Return for how long a receiver that is overburdened asks to be left alone."""
    if response.status not in OVERBURDENED:
        return 0
    given = (value for name, value in response.headers if name.lower() == b"retry-after")
    return _wait_ms(next(given, b"").decode("latin-1"), MAX_MESSAGE_WAIT_MS)


def _wait_ms(text: str, most: int = MAX_WAIT_MS) -> int:
    """Read Retry-After, seconds or a date; 0 for none."""
    if (seconds := _number(text)) is not None:
        return min(seconds * 1000, most)
    try:
        left = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0
    return int(min(max(left, 0) * 1000, most))


def _given_name(disposition: str) -> str:
    """Read the name of a Content-Disposition (RFC 6266), the international form first."""
    wide = _WIDE_NAME.search(disposition)
    if wide:
        return unquote(wide[1])[:500]
    plain = _PLAIN_NAME.search(disposition)
    if plain is None:
        return ""
    quoted = re.sub(r"\\(.)", r"\1", plain[1]) if plain[1] is not None else plain[2]
    return quoted.encode("latin-1", "replace").decode("utf-8", "replace")[:500]
