"""Calls over HTTP: one pooled client for each provider, answers read within bounds.

Redirects are not followed, cookies are not kept, proxies and credentials of the environment are not
used, nothing is decompressed. A call that is cancelled closes its connection.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from mediamill import __version__
from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.config import Configured, wrong_key
from mediamill.adapters.providers.faults import (
    away,
    by_status,
    harmless,
    invalid,
    misconfigured,
    seconds_of,
)
from mediamill.adapters.providers.port import MOST_BYTES
from mediamill.core.errors import ConfigurationError, MediamillError
from mediamill.core.plaintext import ALLOWING, refuse_plaintext
from mediamill.core.sourced import sourced

CONNECT_SECONDS = 10.0
POOLED = 8
"""Calls that share a pool; its costs grow with the square of its connections."""
IDLE_SECONDS = 4.0
"""Servers close idle connections after five seconds and more: not while a call is on its way."""
OPTIONS = frozenset({"base_url", "ca", ALLOWING})
"""Parameters of addresses of servers that are reached by HTTP."""
SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes of errors that come as "too often" and do not pass by themselves."""
HIDDEN = "…"
"""What stands for a key in a server's words."""
T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """A whole answer with a good status."""

    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Makes requests to one server, with one key."""

    def __init__(self, configured: Configured, address: Address, base_url: str) -> None:
        """Raise `ValueError` for an address that cannot be used."""
        self.name = configured.name
        self._base = checked(address.options.get("base_url") or base_url, address)
        self._key = sourced(configured.key)
        self._ca = address.options.get("ca")
        if self._ca is not None:
            trusting(self._ca)
        self._tls: ssl.SSLContext | None = None
        self._pools: list[Pool] = []

    async def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        meant: Callable[[int, bytes], MediamillError | None] = lambda status, body: None,
    ) -> Reply:
        """POST, and return the answer; raises what the port says, and knows no deadline.

        `meant` may say what an answer with a bad status means.
        """
        key = await self._current_key()
        sent = {**headers, **({"Authorization": f"Bearer {key}"} if key else {})}
        with told(self.name), self._pool().used() as client:
            request = client.build_request("POST", self._base + path, content=body, headers=sent)
            response = await client.send(request, stream=True)
            try:
                found = await whole(self.name, response)
            finally:
                await response.aclose()
        if response.status_code == 401 and key and await self._key.renewed() != key:
            raise away(self.name, "has a new key since this was asked")
        if not 200 <= response.status_code < 300:
            found = found.replace(key.encode(), HIDDEN.encode()) if key else found
            if (error := meant(response.status_code, found)) is not None:
                raise error
            raise self._refused(response, found, key)
        return Reply(response.headers, found)

    def _refused(self, response: httpx.Response, body: bytes, key: str) -> MediamillError:
        """Return what an answer with a bad status means; some servers say the key they refuse."""
        why, code = why_of(body)
        why = why.replace(key, HIDDEN) if key else why  # its JSON may have had it escaped
        if code in SPENT:
            return misconfigured(self.name, f"has nothing left to spend: {harmless(why)}")
        after = seconds_of(response.headers.get("retry-after"))
        return by_status(self.name, response.status_code, why, after)

    async def close(self) -> None:
        """Close what is open; whoever asks afterwards opens it anew."""
        pools, self._pools = self._pools, []
        for pool in pools:
            await pool.client.aclose()

    async def _current_key(self) -> str:
        try:
            key = await self._key.current()
        except ConfigurationError:
            raise misconfigured(self.name, "has a key that cannot be read") from None
        if why := wrong_key(key):
            raise misconfigured(self.name, f"cannot be asked: {why}")
        return key

    def _pool(self) -> "Pool":
        """Return the first pool that is not full, so that connections are used again."""
        found = next((pool for pool in self._pools if pool.calls < POOLED), None)
        if found is None:
            self._tls = self._tls or trusting(self._ca)
            found = Pool(connecting(self._tls))
            self._pools.append(found)
        return found


@dataclass
class Pool:
    """A client with some connections; `httpx` takes much time to find a free one among many."""

    client: httpx.AsyncClient
    calls: int = 0

    @contextmanager
    def used(self) -> Iterator[httpx.AsyncClient]:
        """Count a call."""
        self.calls += 1
        try:
            yield self.client
        finally:
            self.calls -= 1


def connecting(tls: ssl.SSLContext) -> httpx.AsyncClient:
    """Return a client that knows nothing of the environment and keeps nothing but connections."""
    return httpx.AsyncClient(
        verify=tls,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=None, keepalive_expiry=IDLE_SECONDS),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={
            "User-Agent": f"mediamill/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
    )


def checked(url: str, address: Address) -> str:
    """Return where requests go to, without a slash at its end; raises `ValueError`."""
    form = "base_url is an address like https://models.example/v1"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # quotes what it could not read
        raise ValueError(form) from None
    if not sound or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(form)
    if parts.scheme == "http":
        refuse_plaintext(parts.hostname or "", address.options.get(ALLOWING), "base_url=https://…")
    return url.rstrip("/")


def trusting(ca: str | None) -> ssl.SSLContext:
    """Return how a server's certificate is judged; raises `ValueError` for a file that is none."""
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ValueError(f"ca: {ca} cannot be used: {error.strerror}") from None


async def whole(name: str, response: httpx.Response) -> bytes:
    """Read an answer to its end; raises `InvalidAnswer` for one that is too long."""
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise invalid(name, "answers compressed, which was not asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise invalid(name, f"answers more than {MOST_BYTES:,} bytes")
    return bytes(body)


@contextmanager
def told(name: str) -> Iterator[None]:
    """Raise what goes wrong on the wire as errors of the port, in which no address stands."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise misconfigured(name, "has a certificate that is not trusted") from None
            cause = cause.__cause__ or cause.__context__
        raise away(name, "cannot be reached") from None
    except httpx.LocalProtocolError:  # which nobody was sent
        raise misconfigured(name, "cannot be asked: what it would be sent is no HTTP") from None
    except httpx.HTTPError as error:
        why = f"broke off: {type(error).__name__}"
        raise away(name, why, lost=True) from None


def read(name: str, body: bytes, kind: type[T]) -> T:
    """Read JSON as a type; raises `InvalidAnswer` that says what is wrong, without a word of it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise invalid(name, f"answers what its protocol does not say: {error}") from None
    except (ValueError, RecursionError):
        raise invalid(name, "answers what is no JSON") from None


def why_of(body: bytes) -> tuple[str, str]:
    """Return what a server says went wrong, and its code, where it says so in a usual way."""
    try:
        found: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return "", ""
    code: object = ""
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and key in found:
            code = found.get("code", code)
            found = found[key]
    return found if isinstance(found, str) else "", code if isinstance(code, str) else ""
