"""Talk to a server: requests whose failures are sentences, uploads and downloads that stream."""

import ipaddress
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from mediamill import __version__
from mediamill.cli.terminal.failures import Failure, Refused, Unreachable

CHUNK = 1 << 18
TIMEOUT = httpx.Timeout(60, connect=5, read=90)
DOWNLOAD_TRIES = 5
PACKING_SECONDS, PACKING_PAUSE = 1800, 2.0
"""How long a download that is being put together is waited for, and how often it is asked for."""

Advance = Callable[[int], None]
"""Called with how many more bytes have passed."""


class Client:
    """A signed-in session with one server; failures are `Refused` and `Unreachable`."""

    def __init__(
        self, server: str, token: str = "", *, verify: ssl.SSLContext | bool = True
    ) -> None:
        self.server = server
        self.direct: bool | None = None
        """Whether bytes go to the bucket, past the server; None until it was asked."""
        self._most: int | None = None
        headers = {"User-Agent": f"mediamill-cli/{__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=server,
            headers=headers,
            timeout=TIMEOUT,
            trust_env=not on_loopback(server),
            verify=verify,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON of its answer, or None where it has no body."""
        response = self._send(lambda: self._http.request(method, path, **options))
        return response.json() if response.content else None

    @contextmanager
    def streaming(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        """Send a request whose answer is read as it comes; raises `httpx.TransportError` too."""
        with self._http.stream(method, path, **options) as response:
            _raise_for_problem(response)
            yield response

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return the whole answer, where its headers matter."""
        return self._send(lambda: self._http.request(method, path, **options))

    def get(self, path: str, **query: Any) -> Any:
        """Read one thing."""
        return self.request("GET", path, params=_given(query))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Go through a whole list, page by page."""
        after: str | None = None
        while True:
            page = self.get(path, limit=100, after=after, **query)
            yield from page["data"]
            after = page.get("after")
            if not page["has_more"] or after is None:
                return

    def offers_direct(self) -> bool:
        """Ask the server, once, whether it signs requests to its bucket."""
        if self.direct is None:
            self._ask()
        return bool(self.direct)

    def most_at_once(self) -> int | None:
        """Return how many bytes the body of a request may have; None where nothing is said."""
        if self.direct is None:
            self._ask()
        return self._most

    def _ask(self) -> None:
        told = self.send("OPTIONS", "/v1/uploads").headers
        self.direct = "Mediamill-Direct" in told
        self._most = int(told["Mediamill-Max-Body"]) if "Mediamill-Max-Body" in told else None

    def place(self, location: str) -> str:
        """Return an address that the server gives as one to ask it for."""
        before = urlsplit(self.server).path.rstrip("/")
        return location.removeprefix(before) if before else location

    def put_file(self, path: Path, name: str, advance: Advance) -> dict[str, Any]:
        """Upload one file, streamed from disk; return the server's record of it."""
        size = path.stat().st_size

        def chunks() -> Iterator[bytes]:
            with path.open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
                    advance(len(chunk))

        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        answer: dict[str, Any] = self.request(
            "POST", "/v1/files", params={"name": name}, content=chunks(), headers=headers
        )
        return answer

    def download(self, path: str, target: Path, start: Callable[[int], Advance]) -> str:
        """Fetch a body into a file that must not exist; return the name the server gives it.

        A connection that breaks is taken up where it broke, unless the content has changed since.
        What a gateway does not give whole is fetched in ranges.
        """
        done, total, at_once, etag, tries = 0, 0, 0, "", 0
        patience = time.monotonic() + PACKING_SECONDS
        advance: Advance = _ignore
        with target.open("xb") as stream:
            while True:
                ranged = _range(done, at_once, etag)
                try:
                    with self._http.stream(
                        "GET", path, headers=ranged, follow_redirects=True
                    ) as response:
                        if not at_once and (at_once := _at_once(response)):
                            continue
                        if _packing(response) and time.monotonic() < patience:
                            time.sleep(PACKING_PAUSE)
                            continue
                        _raise_for_problem(response)
                        if response.status_code != httpx.codes.PARTIAL_CONTENT or not total:
                            done = _begin_again(stream)
                            etag, total = response.headers.get("ETag", ""), _total(response)
                            advance = start(total)
                        for chunk in response.iter_raw(CHUNK):
                            stream.write(chunk)
                            done += len(chunk)
                            advance(len(chunk))
                        if done >= total or not response.headers.get("Content-Range"):
                            return _name_of(response)
                except httpx.TransportError as error:
                    tries += 1
                    if tries >= DOWNLOAD_TRIES:
                        raise self._unreachable(error) from error
                    time.sleep(0.5 * tries)

    @contextmanager
    def stream(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Open a body that is read as it comes; what breaks while reading is httpx's error."""
        try:
            with self._http.stream("GET", path, headers=headers) as response:
                _raise_for_problem(response)
                yield response
        except httpx.ConnectError as error:
            raise self._unreachable(error) from error

    def _send(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            response = send()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        _raise_for_problem(response)
        return response

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        reason = str(error) or type(error).__name__
        return Unreachable(
            f"The server {self.server} does not answer ({reason}).",
            "Start one with `mediamill up`, or name another with --server or MEDIAMILL_SERVER.",
        )


def on_loopback(server: str) -> bool:
    """Tell whether an address stays on this machine, so that no proxy is asked."""
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_address(server: str) -> str:
    """Return a server's address without a slash at its end; raises `Failure` for what is none."""
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"“{server}” is no server address.", "Write it like https://media.example.")
    return server.rstrip("/")


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _ignore(_count: int) -> None:
    """Report nothing."""


def _range(done: int, at_once: int, etag: str) -> dict[str, str]:
    """Return the headers that ask for what is missing; none for all of it."""
    if at_once:
        ranged = {"Range": f"bytes={done}-{done + at_once - 1}"}
    elif done and etag:
        ranged = {"Range": f"bytes={done}-"}
    else:
        return {}
    return ranged | ({"If-Range": etag} if etag else {})


def _packing(response: httpx.Response) -> bool:
    """Tell whether a download is being put together; not while it waits for a worker."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return False
    response.read()
    try:
        problem = response.json()
        waits = problem.get("details", {}).get("for_workers", False)
        return bool(problem["code"] == "packing" and not waits)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def _at_once(response: httpx.Response) -> int:
    """Return how many bytes an answer may have, if it says that it would have more; else 0."""
    if response.status_code != httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return 0
    response.read()
    try:
        details = response.json()["details"]
        return int(details["most"]) if details["ranged"] else 0
    except (ValueError, LookupError, TypeError):
        return 0


def _total(response: httpx.Response) -> int:
    """Return how many bytes there are in all; 0 where nothing is said."""
    ranged = response.headers.get("Content-Range", "").rpartition("/")[2]
    told = ranged or response.headers.get("Content-Length", "")
    return int(told) if told.isdigit() else 0


def _begin_again(stream: Any) -> int:
    stream.seek(0)
    stream.truncate()
    return 0


def _name_of(response: httpx.Response) -> str:
    """Read the plain file name of a Content-Disposition header, without any folder."""
    for part in response.headers.get("Content-Disposition", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key.lower() == "filename":
            return Path(value.strip('"')).name
    return ""


def _raise_for_problem(response: httpx.Response) -> None:
    """Raise what the server's problem document says."""
    if response.status_code < httpx.codes.BAD_REQUEST:
        return
    response.read()
    try:
        problem = response.json()
        problem = problem if isinstance(problem, dict) else {}
    except ValueError:
        problem = {}
    code, detail = problem.get("code", ""), problem.get("detail") or problem.get("title")
    message = detail or f"The server answered {response.status_code} without saying why."
    details = [
        f"  {item.get('pointer', '')}: {item.get('message', '')}"
        for item in problem.get("errors") or ()
        if item.get("message") and item["message"] not in message
    ]
    remedy = "\n".join([*details, *_remedies(response.status_code)])
    raise Refused(str(message), remedy, status=response.status_code, code=str(code))


def _remedies(status: int) -> list[str]:
    if status == httpx.codes.UNAUTHORIZED:
        return ["Sign in with `mediamill login`, or set MEDIAMILL_TOKEN."]
    return []
