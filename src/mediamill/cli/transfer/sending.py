"""Send bytes until they are there: whole if they are few, else by tus, resumed wherever it was cut.

What may pass (a lost connection, 5xx, 423, 429) is tried again, longer and longer apart; each byte
that arrives starts the patience anew.
"""

import base64
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mediamill.cli.remote.client import Advance, Client
from mediamill.cli.terminal.failures import Refused, Unreachable

LARGE = 16 << 20
"""From so many bytes on a file is sent by tus."""
TRIES = 8
FIRST_WAIT, LONGEST_WAIT = 0.25, 20.0
"""Seconds before the second try, and at most."""
PASSING = frozenset({408, 409, 423, 425, 429, 460, 500, 502, 503, 504})
LOOK_SECONDS = 1.0

T = TypeVar("T")


class Source(Protocol):
    """Bytes that can be read from any place on, and again; they come to a server as a file."""

    @property
    def name(self) -> str:
        """Return the name that the file is to have."""

    @property
    def size(self) -> int:
        """Return its length in bytes."""

    @property
    def sha256(self) -> str:
        """Return what is known of its digest before it is read; empty for nothing."""

    def read(self, start: int) -> Iterator[bytes]:
        """Yield the bytes from `start` on; fewer than announced are refused by the server."""


class Bookmark(Protocol):
    """Where an upload goes on, kept from one run of a command to the next."""

    def place(self) -> str | None:
        """Return the address of an upload that was begun."""

    def begin(self, place: str) -> None:
        """Remember an upload until `forget`."""

    def forget(self) -> None:
        """Forget an upload that is over."""


@dataclass(frozen=True)
class Said:
    """What is said of a file that is sent."""

    tags: Sequence[str] = ()
    project: str | None = None

    def given(self) -> dict[str, str]:
        """Return it as text by its name, without what is not said."""
        found = {"tags": ",".join(self.tags), "project": self.project or ""}
        return {name: value for name, value in found.items() if value}


class Sender:
    """Sends sources to one server."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(
        self, source: Source, said: Said, bookmark: Bookmark, advance: Advance
    ) -> dict[str, Any]:
        """Return the server's record of the file.

        `advance` is told of bytes that arrived. Raises `Refused`, `Unreachable`, and what reading
        the source raises.
        """
        if source.size < LARGE:
            return patiently(lambda _: self._whole(source, said, advance))
        file = Shipment(self.client, source, said, bookmark, Counter(advance)).send()
        record: dict[str, Any] = self.client.get(f"/v1/files/{file}")
        return record

    def _whole(self, source: Source, said: Said, advance: Advance) -> dict[str, Any]:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(source.size)}
        query = {"name": source.name, **said.given()}
        if source.sha256:
            query["if_absent"] = "true"
            headers["X-Content-SHA256"] = source.sha256
        answer: dict[str, Any] = self.client.request(
            "POST", "/v1/files", params=query, content=source.read(0), headers=headers
        )
        advance(source.size)
        return answer


@dataclass
class Shipment:
    """One source on its way by tus."""

    client: Client
    source: Source
    said: Said
    bookmark: Bookmark
    sent: "Counter"

    def send(self) -> str:
        """Return the id of the file; an upload that has expired is begun anew, once."""
        try:
            try:
                return self._go_on()
            except Refused as refusal:
                if refusal.status not in (404, 410):
                    raise
            self.bookmark.forget()
            self.sent.begin_anew()
            return self._go_on()
        except Refused as refusal:
            if refusal.status not in PASSING:
                self.bookmark.forget()
            raise

    def _go_on(self) -> str:
        place = patiently(lambda _: self._place())
        file = patiently(lambda patience: self._rest(place, patience))
        self.bookmark.forget()
        return file

    def _place(self) -> str:
        """Return where the upload goes on, begun if it was not."""
        if known := self.bookmark.place():
            return known
        said = {"filename": self.source.name, **self.said.given()}
        if self.source.sha256:
            said["sha256"] = self.source.sha256
        pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in said.items())
        headers = {"Upload-Length": str(self.source.size), "Upload-Metadata": ",".join(pairs)}
        place = self.client.send("POST", "/v1/uploads", headers=tus(headers)).headers["Location"]
        self.bookmark.begin(place)
        return str(place)

    def _rest(self, place: str, patience: "Patience") -> str:
        """Send what is missing and return the file that it became."""
        head = self.client.send("HEAD", place, headers=tus({}))
        offset, size = int(head.headers["Upload-Offset"]), self.source.size
        if self.sent.reach(offset):
            patience.renew()
        if offset < size:
            headers = {
                "Upload-Offset": str(offset),
                "Content-Length": str(size - offset),
                "Content-Type": "application/offset+octet-stream",
            }
            body = self._counted(self.source.read(offset))
            self.client.send("PATCH", place, headers=tus(headers), content=body)
        return self._checked(place)

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            self.sent.add(len(chunk))

    def _checked(self, place: str) -> str:
        """Wait until the server has checked the file; raises `Refused` with its reason."""
        while True:
            upload = self.client.get(place)
            if upload["state"] == "ready":
                return str(upload["file"])
            if upload["state"] == "rejected":
                raise Refused(upload["error"], status=422, code=upload["code"])
            if upload["state"] == "receiving":
                raise Unreachable("The server has not all of the bytes.", "")
            time.sleep(LOOK_SECONDS)


class Counter:
    """Turns offsets into progress: bytes that are sent twice count once."""

    def __init__(self, advance: Advance) -> None:
        self._advance, self._shown, self._at, self._reached = advance, 0, 0, 0

    def add(self, count: int) -> None:
        self._at += count
        self._show()

    def reach(self, offset: int) -> bool:
        """Go on from an offset that the server has; True when that is progress."""
        more, self._at = offset > self._reached, offset
        self._reached = max(offset, self._reached)
        self._show()
        return more

    def begin_anew(self) -> None:
        """Count from the first byte again; what was shown stays shown."""
        self._at = self._reached = 0

    def _show(self) -> None:
        if self._at > self._shown:
            self._advance(self._at - self._shown)
            self._shown = self._at


class Patience:
    """How often something is still tried."""

    def __init__(self) -> None:
        self.tries = 0

    def renew(self) -> None:
        """Begin anew, because there was progress."""
        self.tries = 0

    def wait(self) -> bool:
        """Wait before another try; False when there is none."""
        self.tries += 1
        if self.tries >= TRIES:
            return False
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2**self.tries)
        time.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads retries
        return True


def patiently(work: Callable[[Patience], T]) -> T:
    """Do something that may be done twice, again while its failures may pass."""
    patience = Patience()
    while True:
        try:
            return work(patience)
        except Unreachable:
            if not patience.wait():
                raise
        except Refused as refusal:
            if refusal.status not in PASSING or not patience.wait():
                raise


def tus(headers: dict[str, Any]) -> dict[str, Any]:
    """Add the version of the protocol."""
    return {"Tus-Resumable": "1.0.0", **headers}
