"""The two clients: the same calls, one that blocks and one that is awaited."""

import copy
import hashlib
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Generic, Self
from urllib.parse import urlsplit

import httpx

from mediamill import __version__
from mediamill.client import routes
from mediamill.client.calling import Flow, Request, Response, Route
from mediamill.client.driving import Awaiting, Blocking
from mediamill.client.paging import listing
from mediamill.client.resources.account import Account, Tokens, Webhooks
from mediamill.client.resources.annotations import Annotations
from mediamill.client.resources.base import Calls, D
from mediamill.client.resources.captions import Captions
from mediamill.client.resources.files import Files
from mediamill.client.resources.jobs import Jobs, Prompts
from mediamill.client.resources.projects import Projects
from mediamill.client.resources.work import Models, Operations, Templates
from mediamill.client.retrying import Retries
from mediamill.client.shipping import Port
from mediamill.client.sources import body_of

TIMEOUT = httpx.Timeout(60, connect=5, read=90)
AGENT = f"mediamill-client/{__version__}"
HERE = ("127.0.0.1", "localhost", "[::1]")


def unsaid(_notice: str) -> None:
    """Report nothing."""


class Resources(Generic[D]):
    """What both clients have."""

    def __init__(self, calls: Calls, drive: D) -> None:
        self.server, self.calls = calls.server, calls
        self._drive: D = drive
        self.files: Files[D] = Files(calls, drive)
        self.jobs: Jobs[D] = Jobs(calls, drive)
        self.prompts: Prompts[D] = Prompts(calls, drive)
        self.projects: Projects[D] = Projects(calls, drive)
        self.annotations: Annotations[D] = Annotations(calls, drive)
        self.captions: Captions[D] = Captions(calls, drive)
        self.operations: Operations[D] = Operations(calls, drive)
        self.templates: Templates[D] = Templates(calls, drive)
        self.models: Models[D] = Models(calls, drive)
        self.account: Account[D] = Account(calls, drive)
        self.tokens: Tokens[D] = Tokens(calls, drive)
        self.webhooks: Webhooks[D] = Webhooks(calls, drive)

    def having(self, retries: Retries) -> Self:
        """Return a client that is so patient, over the same connections."""
        other = copy.copy(self)
        calls = replace(self.calls, retries=retries, port=self.calls.port.having(retries))
        Resources.__init__(other, calls, self._drive)
        return other

    def _request(self, method: str, path: str, options: dict[str, Any]) -> Flow[Response]:
        if "content" in options:
            options |= body_of(options["content"], options.get("headers") or {})
        return self.calls.send(route_of(method, path), Request(method, path, **options))


class Mediamill(Resources[Blocking]):
    """A client that blocks; several threads may share one. Use it as a context manager.

    Calls raise `ClientError`; see `mediamill.client.errors`.
    """

    driver: ClassVar[type[Blocking]] = Blocking

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries = Retries(),  # noqa: B008 - it is frozen
        state: str | Path | None = None,
        verify: ssl.SSLContext | bool = True,
        agent: str = AGENT,
        notice: Callable[[str], None] = unsaid,
    ) -> None:
        """Nothing is sent before the first call.

        `timeout` is that of one read or write, in seconds. `state` is a folder in which unfinished
        uploads are remembered. `notice` is told what keeps an upload waiting. Raises `ValueError`
        for what is no address, and for what can be no token.
        """
        options = _options(server, token, timeout, verify, agent)
        foreign = partial(httpx.Client, **_foreign(timeout, verify))
        drive = self.driver(httpx.Client(**options), foreign)
        super().__init__(_calls(server, token, retries, state, notice), drive)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._drive.close()

    def request(self, method: str, path: str, **options: Any) -> Response:
        """Send any request, with retries: `params`, `headers`, `json` or `content`."""
        return self._drive.run(self._request(method, path, options))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Go through any list, page by page."""
        return self._drive.iterate(listing(path, query, self.calls.retries))


class AsyncMediamill(Resources[Awaiting]):
    """A client whose calls are awaited, and whose sequences are asynchronous iterators.

    Use it as an asynchronous context manager. Calls raise `ClientError`.
    """

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries = Retries(),  # noqa: B008 - it is frozen
        state: str | Path | None = None,
        verify: ssl.SSLContext | bool = True,
        agent: str = AGENT,
        notice: Callable[[str], None] = unsaid,
    ) -> None:
        """Take what `Mediamill` takes."""
        options = _options(server, token, timeout, verify, agent)
        foreign = partial(httpx.AsyncClient, **_foreign(timeout, verify))
        drive = Awaiting(httpx.AsyncClient(**options), foreign)
        super().__init__(_calls(server, token, retries, state, notice), drive)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._drive.close()

    async def request(self, method: str, path: str, **options: Any) -> Response:
        """Send any request, with retries: `params`, `headers`, `json` or `content`."""
        return await self._drive.run(self._request(method, path, options))

    def pages(self, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """Go through any list, page by page."""
        return self._drive.iterate(listing(path, query, self.calls.retries))


def on_loopback(server: str) -> bool:
    """Tell whether an address stays on this machine, so that no proxy is asked."""
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_address(server: str) -> str:
    """Return an address without a slash at its end; raises `ValueError` for what is none."""
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"“{server}” is no server address. Write it like https://media.example.")
    return server.rstrip("/")


def _calls(
    server: str, token: str, retries: Retries, state: str | Path | None,
    notice: Callable[[str], None],
) -> Calls:  # fmt: skip
    address = checked_address(server)
    folder = None if state is None else Path(state).expanduser()
    user = hashlib.sha256(token.strip().encode()).hexdigest()
    return Calls(address, retries, Port(address, retries), folder, notice, user)


def _options(
    server: str, token: str, timeout: float | httpx.Timeout, verify: ssl.SSLContext | bool,
    agent: str,
) -> dict[str, Any]:  # fmt: skip
    token = checked_token(token)
    headers = {"User-Agent": agent} | ({"Authorization": f"Bearer {token}"} if token else {})
    return {
        "base_url": checked_address(server), "headers": headers, "timeout": timeout,
        "trust_env": not on_loopback(server), "verify": verify,
    }  # fmt: skip


def checked_token(token: str) -> str:
    """Return a token without space around it; raises `ValueError`, which does not show it."""
    token = token.strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise ValueError("The token has characters that no token has.")
    return token


def _foreign(timeout: float | httpx.Timeout, verify: ssl.SSLContext | bool) -> dict[str, Any]:
    """Return the options of a client that shows a bucket nothing but what was signed."""
    mounts = {f"all://{host}": None for host in HERE}
    return {"timeout": timeout, "mounts": mounts, "verify": verify}


@cache
def _keyed() -> list[tuple[str, re.Pattern[str]]]:
    """Return the operations that do once what carries a key, by method and path."""
    every = (one for one in vars(routes).values() if isinstance(one, Route) and one.keyed)
    return [
        (one.method, re.compile("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", one.path)))))
        for one in every
    ]


def route_of(method: str, path: str) -> Route:
    """Return the route of a request that was written by hand."""
    plain = path.partition("?")[0]
    keyed = any(method == known and place.fullmatch(plain) for known, place in _keyed())
    return Route(method, path, keyed)
