"""Send bytes until they are there: whole if they are few, else resumed wherever it was cut.

What is large goes past the server, to its bucket, where it offers that, else by tus
(https://tus.io/protocols/resumable-upload). What may pass is tried again, longer and longer apart;
each byte that arrives starts the patience anew.
"""

import base64
import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from mediamill.client import routes
from mediamill.client.calling import KEY, Flow, Pause, Request, Response
from mediamill.client.errors import ClientError, Problem, Unreachable, problem_of
from mediamill.client.models import FileView, UploadView
from mediamill.client.retrying import NEVER, Patience, Retries, patiently, sending
from mediamill.client.sources import Counter, Part, Source

SMALL = 700_000
"""Up to so many bytes a file passes in one request everywhere."""
LARGE = 16 << 20
"""From so many bytes on a file is sent in more than one request."""
PATIENT = Retries(tries=8, first=0.5, longest=20.0, total=600.0)
PASSING = frozenset({408, 409, 423, 425, 429, 460, 500, 502, 503, 504})
LOOK_SECONDS = 1.0


class Bookmark(Protocol):
    """Where an upload goes on, kept from one run of a program to the next."""

    def place(self) -> str | None:
        """Return the address of an upload that was begun."""

    def begin(self, place: str) -> None:
        """Remember an upload until `forget`."""

    def forget(self) -> None:
        """Forget an upload that is over."""


class Nowhere:
    """A bookmark of a program that begins anew each time."""

    def __init__(self) -> None:
        self._place: str | None = None

    def place(self) -> str | None:
        return self._place

    def begin(self, place: str) -> None:
        self._place = place

    def forget(self) -> None:
        self._place = None


@dataclass(frozen=True)
class Said:
    """What is said of a file that is sent."""

    tags: Sequence[str] = ()
    project: str | None = None

    def given(self) -> dict[str, str]:
        """Return it as text by its name, without what is not said."""
        found = {"tags": ",".join(self.tags), "project": self.project or ""}
        return {name: value for name, value in found.items() if value}


class Port:
    """What a server said of how it takes uploads; asked once."""

    def __init__(self, server: str, retries: Retries) -> None:
        self.server, self.retries = server, retries
        self.direct: bool | None = None
        """Whether bytes go to the bucket, past the server; None until it was asked."""
        self._most: int | None = None

    def having(self, retries: Retries) -> "Port":
        """Return the same, asked for so patiently."""
        other = copy.copy(self)
        other.retries = retries
        return other

    def offers_direct(self) -> Flow[bool]:
        """Ask the server whether it signs requests to its bucket."""
        if self.direct is None:
            yield from self._ask()
        return bool(self.direct)

    def most_at_once(self) -> Flow[int | None]:
        """Return how many bytes the body of a request may have; None where nothing is said."""
        if self.direct is None:
            yield from self._ask()
        return self._most

    def _ask(self) -> Flow[None]:
        request = Request("OPTIONS", routes.describe_uploads.path)
        told = (yield from sending(request, self.retries)).headers
        self._most = int(told["Mediamill-Max-Body"]) if "Mediamill-Max-Body" in told else None
        self.direct = "Mediamill-Direct" in told

    def passes(self, size: int) -> Flow[bool]:
        """Tell whether so many bytes may come in one request; what is small is not asked about."""
        if size <= SMALL:
            return True
        most = yield from self.most_at_once()
        return most is None or size <= most

    def place(self, location: str) -> str:
        """Return an address that the server gives as one to ask it for."""
        before = urlsplit(self.server).path.rstrip("/")
        return location.removeprefix(before) if before else location


@dataclass
class Shipment(ABC):
    """One source on its way, in more than one request."""

    port: Port
    source: Source
    said: Said
    bookmark: Bookmark
    sent: Counter
    retries: Retries = PATIENT
    notice: Callable[[str], None] = field(default=lambda _: None)
    """Told what keeps an upload from being done soon."""
    key: str = field(default_factory=lambda: uuid4().hex)
    """Makes the beginning of the upload happen once."""

    def send(self) -> Flow[str]:
        """Return the id of the file; an upload that has expired is begun anew, once."""
        try:
            try:
                return (yield from self._go_on())
            except Problem as problem:
                if problem.status not in (404, 410):
                    raise
            self.bookmark.forget()
            self.sent.begin_anew()
            self.key = uuid4().hex
            return (yield from self._go_on())
        except Problem as problem:
            if problem.status not in PASSING:
                self.bookmark.forget()
            raise

    def _go_on(self) -> Flow[str]:
        place = yield from patiently(self.retries, lambda _: self._place(), passes)
        file = yield from patiently(self.retries, partial(self._rest, place), passes)
        self.bookmark.forget()
        return file

    @abstractmethod
    def _place(self) -> Flow[str]:
        """Return where the upload goes on, begun if it was not."""

    @abstractmethod
    def _rest(self, place: str, patience: Patience) -> Flow[str]:
        """Send what is missing and return the file that it became."""

    def _checked(self, place: str) -> Flow[str]:
        """Wait until the server has checked an upload; return its file.

        Raises `Problem` with the reason, and `Unreachable` while bytes are missing.
        """
        told = False
        while True:
            upload: UploadView = yield from asked("GET", place)
            if upload.get("for_workers") and not told:
                told = True
                self.notice(f"{upload['name']} is too large for a function: it waits for a worker.")
            match upload["state"]:
                case "ready":
                    return str(upload["file"])
                case "rejected":
                    why = {"detail": upload["error"], "code": upload["code"], "retryable": False}
                    raise rejected(why)
                case "receiving":
                    raise Unreachable("The server has not all of the bytes.")
            yield Pause(LOOK_SECONDS)


class ResumableShipment(Shipment):
    """One source on its way by tus."""

    def _place(self) -> Flow[str]:
        if known := self.bookmark.place():
            return known
        said = {"filename": self.source.name, **self.said.given()}
        if self.source.sha256:
            said["sha256"] = self.source.sha256
        pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in said.items())
        headers = {"Upload-Length": str(self.source.size), "Upload-Metadata": ",".join(pairs)}
        begun = yield from sent(
            Request("POST", routes.create_upload.path, headers={**tus(headers), KEY: self.key})
        )
        place = self.port.place(begun.headers["Location"])
        self.bookmark.begin(place)
        return place

    def _rest(self, place: str, patience: Patience) -> Flow[str]:
        head = yield from sent(Request("HEAD", place, headers=tus({})))
        offset, size = int(head.headers["Upload-Offset"]), self.source.size
        if self.sent.reach(offset):
            patience.renew()
        at_once = (yield from self.port.most_at_once()) or size
        while offset < size:
            length = min(at_once, size - offset)
            headers = {
                "Upload-Offset": str(offset),
                "Content-Length": str(length),
                "Content-Type": "application/offset+octet-stream",
            }
            body = Part(self.source, offset, length, self.sent.add)
            yield from sent(Request("PATCH", place, headers=tus(headers), content=body))
            offset += length
            if self.sent.reach(offset):
                patience.renew()
        return (yield from self._checked(place))


def whole(source: Source, said: Said, key: str, sent: Counter, *, if_absent: bool) -> Request:
    """Return the request that brings a file at once; the server keeps it once."""
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(source.size)}
    query = {"name": source.name, **said.given()}
    if source.sha256:
        query |= {"if_absent": "true"} if if_absent else {}
        headers["X-Content-SHA256"] = source.sha256
    return Request(
        "POST", routes.upload_file.path, params=query, headers={**headers, KEY: key},
        content=Part(source, 0, source.size, sent.add, sent.reach),
    )  # fmt: skip


def record(file: str, retries: Retries) -> Flow[FileView]:
    """Read what the server says of a file."""
    answer = yield from sending(Request("GET", routes.get_file.at(file_id=file)), retries)
    found: FileView = answer.json()
    return found


def sent(request: Request) -> Flow[Response]:
    """Send a request once: what may pass is tried again together with what came before it."""
    return sending(request, NEVER)


def asked(method: str, place: str, **more: Any) -> Flow[Any]:
    """Send a request once and return the JSON of its answer."""
    return (yield from sent(Request(method, place, **more))).json()


def passes(error: ClientError) -> bool:
    """Tell whether what kept an upload from going on may pass."""
    if not isinstance(error, Problem):
        return isinstance(error, Unreachable)
    used_up = error.status == 429 and error.retryable is False
    return error.status in PASSING and not used_up


def rejected(document: Mapping[str, Any]) -> Problem:
    """Return why the server took no file out of an upload, as if it were its answer."""
    return problem_of(422, {"title": "Unprocessable Content", **document})


def tus(headers: Mapping[str, str]) -> dict[str, str]:
    """Add the version of the protocol."""
    return {"Tus-Resumable": "1.0.0", **headers}
