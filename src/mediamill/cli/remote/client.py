"""Talk to a server through `mediamill.client`: what fails there is a sentence of a command here."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import uuid4

import click

from mediamill import __version__, client
from mediamill.cli.terminal.failures import Failure, Refused, Unreachable
from mediamill.client.calling import Flow, NoParameter, Response, Rows
from mediamill.client.connecting import checked_address as client_address
from mediamill.client.connecting import on_loopback
from mediamill.client.downloading import Fetch
from mediamill.client.driving import Blocking
from mediamill.client.retrying import sending
from mediamill.client.saving import Saving
from mediamill.client.shipping import Said, whole
from mediamill.client.sources import Counter, FileSource

RETRIES = client.Retries(tries=4, first=0.5, longest=5, total=20, connecting=False)
"""A server that is not there is told of at once: somebody waits for the answer."""
DOWNLOADS = client.Retries(tries=5, first=1.0, longest=4.0, total=60)

Advance = Callable[[int], None]
"""Called with how many more bytes have passed."""

T = TypeVar("T")

__all__ = ["Advance", "Client", "checked_address", "on_loopback"]


class Telling(Blocking):
    """Drives flows whose failures are `Refused` and `Unreachable`."""

    def run(self, flow: Flow[T]) -> T:
        try:
            return super().run(flow)
        except client.ClientError as error:
            raise failure_of(error) from error
        except NoParameter as error:
            raise Failure(f"{error}") from None

    def iterate(self, flow: Rows[T]) -> Iterator[T]:
        try:
            yield from super().iterate(flow)
        except client.ClientError as error:
            raise failure_of(error) from error


class Api(client.Mediamill):
    """The client, with failures of commands."""

    driver = Telling

    def run(self, flow: Flow[T]) -> T:
        """Do what a flow asks for."""
        return self._drive.run(flow)

    def iterate(self, flow: Rows[T]) -> Iterator[T]:
        """Yield what a flow gives."""
        return self._drive.iterate(flow)


class Client:
    """A signed-in session with one server; failures are `Refused` and `Unreachable`."""

    def __init__(
        self, server: str, token: str = "", *, verify: ssl.SSLContext | bool = True
    ) -> None:
        self.server = server
        try:
            self.api = Api(
                server, token, retries=RETRIES, verify=verify, agent=f"mediamill-cli/{__version__}",
                notice=lambda text: click.echo(text, err=True),
            )  # fmt: skip
        except ValueError as error:
            raise Failure(f"{error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON of its answer, or None where it has no body."""
        return self.send(method, path, **options).json()

    def send(self, method: str, path: str, **options: Any) -> Response:
        """Send a request and return the whole answer, where its headers matter."""
        return self.api.request(method, path, **options)

    def get(self, path: str, **query: Any) -> Any:
        """Read one thing."""
        return self.request("GET", path, params=query)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Go through a whole list, page by page."""
        return self.api.pages(path, **query)

    @property
    def direct(self) -> bool | None:
        """Whether bytes go to the bucket, past the server; None until it was asked."""
        return self.api.calls.port.direct

    @direct.setter
    def direct(self, known: bool | None) -> None:
        self.api.calls.port.direct = known

    def most_at_once(self) -> int | None:
        """Return how many bytes the body of a request may have; None where nothing is said."""
        return self.api.run(self.api.calls.port.most_at_once())

    def put_file(self, path: Path, name: str, advance: Advance) -> dict[str, Any]:
        """Upload one file in one request, streamed from disk; return the server's record of it."""
        source = FileSource.of(path, name)
        request = whole(source, Said(), uuid4().hex, Counter(advance), if_absent=False)
        record: dict[str, Any] = self.api.run(sending(request, RETRIES)).json()
        return record

    def download(self, path: str, target: Path, start: Callable[[int], Advance]) -> str:
        """Fetch a body into a file that must not exist; return the name the server gives it.

        A connection that breaks is taken up where it broke, unless the content has changed since.
        What a gateway does not give whole is fetched in ranges. `start` is told the size, and
        returns what is told of the bytes; a second time where the content comes anew.
        """
        advance: Advance = _ignore
        shown = 0

        def begun(_etag: str, total: int) -> None:
            nonlocal advance, shown
            advance, shown = start(total), 0

        def passed(done: int, _total: int) -> None:
            nonlocal shown
            if done > shown:
                advance(done - shown)
                shown = done

        with target.open("x+b") as stream:
            fetch = Fetch(path, stream, DOWNLOADS, progress=passed, begun=begun)
            self.api.run(fetch.run())
        return fetch.name

    def save(
        self, path: str, target: Path, start: Callable[[int], Advance], *, overwrite: bool
    ) -> Path:
        """Fetch a body into a file, or a folder under the server's name; return where it is.

        Another command with the same target goes on with what one that was ended left behind.
        """
        advance: Advance | None = None
        shown = 0

        def passed(done: int, total: int) -> None:
            nonlocal advance, shown
            if advance is None or done < shown:
                advance, shown = start(total), 0
            advance(done - shown)
            shown = done

        saving = Saving(
            path, target, self.server, DOWNLOADS, progress=passed, overwrite=overwrite
        )  # fmt: skip
        try:
            return self.api.run(saving.run())
        except FileExistsError as error:
            message = f"{error.filename} exists."
            raise Failure(message, "Pass --overwrite to replace it.") from None
        except OSError as error:
            raise Failure(f"Cannot write to {target}: {error.strerror or error}.") from None


def checked_address(server: str) -> str:
    """Return a server's address without a slash at its end; raises `Failure` for what is none."""
    try:
        return client_address(server)
    except ValueError:
        message = f"“{server}” is no server address."
        raise Failure(message, "Write it like https://media.example.") from None


def failure_of(error: client.ClientError) -> Failure:
    """Return an error of the client as a command ends with it."""
    if isinstance(error, client.Problem):
        details = [
            f"  {item.get('pointer', '')}: {item.get('message', '')}"
            for item in error.errors
            if item.get("message") and item["message"] not in error.message
        ]
        remedy = "\n".join([*details, *_remedies(error.status)])
        return Refused(error.message, remedy, status=error.status, code=error.code)
    if isinstance(error, client.Unreachable):
        remedy = "Start one with `mediamill up`, or name another with --server or MEDIAMILL_SERVER."
        return Unreachable(error.message, remedy if error.reason else "")
    if isinstance(error, client.Changed):
        return Failure(error.message, "Run the command again.")
    return Failure(error.message)


def _ignore(_count: int) -> None:
    """Report nothing."""


def _remedies(status: int) -> list[str]:
    if status == 401:
        return ["Sign in with `mediamill login`, or set MEDIAMILL_TOKEN."]
    return []
