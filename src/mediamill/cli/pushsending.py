"""Send one file until it is there: whole if it is small, else by tus, resumed wherever it was cut.

What may pass (a lost connection, 5xx, 423, 429) is tried again, longer and longer apart; each byte
that arrives starts the patience anew.
"""

import base64
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mediamill.cli.client import CHUNK, Advance, Client
from mediamill.cli.failures import Refused, Unreachable
from mediamill.cli.pushmemory import Memory

LARGE = 16 << 20
"""From so many bytes on a file is sent by tus."""
TRIES = 8
FIRST_WAIT, LONGEST_WAIT = 0.25, 20.0
"""Seconds before the second try, and at most."""
PASSING = frozenset({408, 409, 423, 429, 460, 500, 502, 503, 504})
LOOK_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class Parcel:
    """A local file and what is said of it."""

    path: Path
    size: int
    sha256: str
    tags: tuple[str, ...] = ()
    project: str = ""


class Sender:
    """Sends parcels to one server."""

    def __init__(self, client: Client, memory: Memory) -> None:
        self.client, self.memory = client, memory

    def send(self, parcel: Parcel, advance: Advance) -> str:
        """Return the id of the file on the server; raises `Refused`, `Unreachable`, `OSError`."""
        if parcel.size < LARGE:
            return patiently(lambda _: self._whole(parcel, advance))
        return self._resumably(parcel, advance)

    def _whole(self, parcel: Parcel, advance: Advance) -> str:
        query: dict[str, str] = {"name": parcel.path.name, "if_absent": "true"}
        if parcel.tags:
            query["tags"] = ",".join(parcel.tags)
        if parcel.project:
            query["project"] = parcel.project
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(parcel.size),
            "X-Content-SHA256": parcel.sha256,
        }
        body = _bytes(parcel.path, 0, parcel.size, lambda _: None)
        answer = self.client.request(
            "POST", "/v1/files", params=query, content=body, headers=headers
        )
        advance(parcel.size)
        return str(answer["id"])

    # -- tus --------------------------------------------------------------------------------------

    def _resumably(self, parcel: Parcel, advance: Advance) -> str:
        """Send by tus; an upload that was remembered and has expired is begun anew, once."""
        sent = Counter(advance)
        try:
            try:
                return self._go_on(parcel, sent)
            except Refused as refusal:
                if refusal.status not in (404, 410):
                    raise
            self.memory.forget(self.client.server, parcel.sha256)
            sent.begin_anew()
            return self._go_on(parcel, sent)
        except Refused as refusal:
            if refusal.status not in PASSING:
                self.memory.forget(self.client.server, parcel.sha256)
            raise

    def _go_on(self, parcel: Parcel, sent: "Counter") -> str:
        place = patiently(lambda _: self._place(parcel))
        file = patiently(lambda patience: self._rest(parcel, place, sent, patience))
        self.memory.forget(self.client.server, parcel.sha256)
        return file

    def _place(self, parcel: Parcel) -> str:
        """Return where the upload goes on, begun if it was not."""
        if known := self.memory.upload(self.client.server, parcel.sha256):
            return known
        said = {"filename": parcel.path.name, "sha256": parcel.sha256}
        if parcel.tags:
            said["tags"] = ",".join(parcel.tags)
        if parcel.project:
            said["project"] = parcel.project
        pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in said.items())
        headers = {"Upload-Length": str(parcel.size), "Upload-Metadata": ",".join(pairs)}
        place = self.client.send("POST", "/v1/uploads", headers=tus(headers)).headers["Location"]
        self.memory.begin(self.client.server, parcel.sha256, place)
        return str(place)

    def _rest(self, parcel: Parcel, place: str, sent: "Counter", patience: "Patience") -> str:
        """Send what is missing and return the file that it became."""
        head = self.client.send("HEAD", place, headers=tus({}))
        offset = int(head.headers["Upload-Offset"])
        if sent.reach(offset):
            patience.renew()
        if offset < parcel.size:
            headers = {
                "Upload-Offset": str(offset),
                "Content-Length": str(parcel.size - offset),
                "Content-Type": "application/offset+octet-stream",
            }
            body = _bytes(parcel.path, offset, parcel.size, sent.add)
            self.client.send("PATCH", place, headers=tus(headers), content=body)
        return self._checked(place)

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


def _bytes(path: Path, start: int, stop: int, advance: Advance) -> Iterator[bytes]:
    """Read a range of a file; a file that has become shorter ends early and so is refused."""
    with path.open("rb") as stream:
        stream.seek(start)
        while start < stop and (chunk := stream.read(min(CHUNK, stop - start))):
            start += len(chunk)
            yield chunk
            advance(len(chunk))
