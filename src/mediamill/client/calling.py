"""What a flow asks for: requests, pauses, work on this machine. A flow does none of it itself.

A flow is a generator: it yields what is to be done and is sent what came of it, or has thrown into
it how that failed. So the logic of every call stands once, and `driving` does it with threads or
with coroutines.
"""

import json as json_
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from mediamill.client.errors import Problem, Unexpected, problem_of

T = TypeVar("T")

LONGEST_PROBLEM = 1 << 20
"""Bytes that are read of an answer to a stream that says no."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent twice."""
KEY = "Idempotency-Key"
ELSEWHERE = frozenset({".", ".."})
"""Segments that are taken out of a path, and others with them, before it is asked for."""


class Body(Protocol):
    """Bytes that are read as they are sent; each iteration begins anew."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in pieces."""


class NoParameter(ValueError):
    """A parameter of a path is empty or made of dots, so that it would lead elsewhere."""


@dataclass(frozen=True)
class Route:
    """Where an operation is; `keyed` where a POST does once what carries an `Idempotency-Key`."""

    method: str
    path: str
    keyed: bool = False

    def at(self, **parameters: object) -> str:
        """Return the path with its parameters written out.

        Raises `NoParameter` for empty ones, and for `.` and `..`.
        """
        for name, value in parameters.items():
            if not str(value):
                raise NoParameter(f"{name} is empty.")
            if not ELSEWHERE.isdisjoint(str(value).split("/")):
                raise NoParameter(f"{name} is “{value}”, which would lead elsewhere.")
        kept = {
            name: quote(str(value), safe="/" if name == "path" else "")
            for name, value in parameters.items()
        }
        return self.path.format(**kept)


@dataclass(frozen=True)
class Request:
    """One request; `repeatable` where it may be sent again though an answer was lost."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | Body | None = None
    follow: bool = False
    """Whether it goes where the server points to."""
    plain: bool = False
    """Whether it shows its receiver nothing of ours: an address that is signed already."""
    repeatable: bool = False
    within: float | None = None
    """Seconds in which an answer must come, where that is less than what the client waits."""

    def __post_init__(self) -> None:
        path = self.path.partition("?")[0]
        if not self.plain and not ELSEWHERE.isdisjoint(path.split("/")):
            raise NoParameter(f"“{path}” would lead elsewhere.")
        given = {name: value for name, value in self.params.items() if value is not None}
        object.__setattr__(self, "params", given)
        if self.method in SAFE or self.keyed:
            object.__setattr__(self, "repeatable", True)
        if self.passes_once:
            object.__setattr__(self, "repeatable", False)

    @property
    def keyed(self) -> bool:
        """Whether it carries a key, with which it is done once."""
        return KEY.lower() in map(str.lower, self.headers)

    @property
    def passes_once(self) -> bool:
        """Whether its body is gone when it was read, as that of a generator is."""
        return not isinstance(self.content, bytes | None) and iter(self.content) is self.content

    def having(self, **headers: str) -> "Request":
        """Return the request with more headers; `_` stands for `-` in their names."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


@dataclass(frozen=True)
class Response:
    """An answer; of one that is read in pieces `content` is empty."""

    status: int
    headers: httpx.Headers
    content: bytes = b""

    @property
    def text(self) -> str:
        """Return the content as text, which is UTF-8."""
        return self.content.decode()

    def json(self) -> Any:
        """Return the content as JSON, None where there is none; raises `Unexpected` for others."""
        try:
            return json_.loads(self.content) if self.content else None
        except ValueError:
            kind = self.headers.get("Content-Type", "something")
            message = f"The answer is {kind} instead of JSON: this is no Mediamill server."
            raise Unexpected(message) from None

    @property
    def failed(self) -> bool:
        return self.status >= 400

    def problem(self) -> Problem:
        """Return what the answer says is wrong."""
        try:
            document = json_.loads(self.content)
        except ValueError:
            document = {}
        seconds = _seconds(self.headers.get("Retry-After", ""))
        return problem_of(self.status, document if isinstance(document, dict) else {}, seconds)


def _seconds(wait: str) -> float | None:
    """Read a Retry-After header (RFC 9110): seconds, or a date; None for neither."""
    if wait.isascii() and wait.isdigit():
        return float(wait)
    try:
        until = parsedate_to_datetime(wait)
    except ValueError:
        return None
    until = until.replace(tzinfo=until.tzinfo or UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


@dataclass(frozen=True)
class Open:
    """Send a request and answer its head; its body is then read by `Read` until `Close`."""

    request: Request
    piece: int | None = None
    """Bytes of each piece but the last; None takes them as they come."""


@dataclass(frozen=True)
class Read:
    """Answer the next piece of the body, none at its end."""


@dataclass(frozen=True)
class Close:
    """Leave the rest of the body unread."""


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Do something that blocks, and answer what it returns."""

    do: Callable[[], Any]


@dataclass(frozen=True)
class Give(Generic[T]):
    """Hand a value out of a sequence."""

    value: T


Effect: TypeAlias = Request | Open | Read | Close | Pause | Work | Give[T]
Flow: TypeAlias = Generator[Effect[Any], Any, T]
Rows: TypeAlias = Generator[Effect[T], Any, None]
"""A flow that gives values, one after the other."""


def whole(head: Response) -> Flow[Response]:
    """Read the rest of an answer that was opened, as far as a problem is long, and close it."""
    content = b""
    while len(content) < LONGEST_PROBLEM and (piece := (yield Read())):
        content += piece
    yield Close()
    return replace(head, content=content)
