"""What every way of sending bytes to a server shares: what is sent, how far it is, how patiently.

What may pass (a lost connection, 5xx, 423, 429) is tried again, longer and longer apart; each byte
that arrives starts the patience anew.
"""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import click

from mediamill.cli.remote.client import Advance, Client
from mediamill.cli.terminal.failures import Refused, Unreachable

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


def checked(client: Client, place: str) -> str:
    """Wait until the server has checked an upload; return its file.

    Raises `Refused` with the reason, and `Unreachable` while bytes are missing.
    """
    told = False
    while True:
        upload: dict[str, Any] = client.get(place)
        if upload.get("for_workers") and not told:
            told = True
            click.echo(f"{upload['name']} is too large for a function: it waits for a worker.",
                       err=True)  # fmt: skip
        if upload["state"] == "ready":
            return str(upload["file"])
        if upload["state"] == "rejected":
            raise Refused(upload["error"], status=422, code=upload["code"])
        if upload["state"] == "receiving":
            raise Unreachable("The server has not all of the bytes.", "")
        time.sleep(LOOK_SECONDS)


def closable(chunks: Iterator[bytes]) -> Any:
    """Return an iterator that can be closed."""
    return chunks if hasattr(chunks, "close") else (chunk for chunk in chunks)


@dataclass
class Shipment(ABC):
    """One source on its way, in more than one request."""

    client: Client
    source: Source
    said: Said
    bookmark: Bookmark
    sent: Counter

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

    @abstractmethod
    def _place(self) -> str:
        """Return where the upload goes on, begun if it was not."""

    @abstractmethod
    def _rest(self, place: str, patience: Patience) -> str:
        """Send what is missing and return the file that it became."""
