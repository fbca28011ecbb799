"""Send what can be read from any byte on to a server, whatever breaks on the way.

What is small goes in one request. What is large goes by tus (https://tus.io): a connection that
breaks, or a command that is ended, costs what was under way; the server says where to go on.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import httpx

from mediamill.cli.client import Client
from mediamill.cli.failures import Failure, Refused, Unreachable

SMALL = 16 << 20
STEP = 64 << 20
"""Bytes of one request of a large upload."""
TRIES = 6
POLL_SECONDS = 0.5
PASSING = frozenset({408, 423, 425, 429, 502, 503, 504})
RESUMABLE = {"Tus-Resumable": "1.0.0"}

T = TypeVar("T")


class Source(Protocol):
    """Bytes elsewhere; `read` may be called again, from another place."""

    @property
    def name(self) -> str:
        """Return its file name."""

    @property
    def size(self) -> int:
        """Return its length in bytes."""

    def read(self, start: int) -> Iterator[bytes]:
        """Yield the bytes from `start` on."""


@dataclass(frozen=True)
class Said:
    """What is said of every file that is sent."""

    tags: Sequence[str] = ()
    project: str | None = None

    def given(self) -> dict[str, str]:
        """Return it as text by its name, without what is not said."""
        found = {"tags": ",".join(self.tags), "project": self.project or ""}
        return {name: value for name, value in found.items() if value}


class Sender:
    """Sends sources to one server, patiently."""

    def __init__(
        self, client: Client, said: Said, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.client, self.said, self._pause = client, said, pause

    def send(
        self, source: Source, at: str | None = None, begun: Callable[[str], None] | None = None
    ) -> dict[str, Any]:
        """Send a source and return the server's record of the file.

        `at` is where an earlier command began to send it; `begun` is told where this one does.
        Raises `Refused`, and `Unreachable` when nothing helps.
        """
        if source.size <= SMALL and at is None:
            return self._patiently(lambda: self._whole(source))
        place = at if at is not None and self._is_there(at) else self._create(source)
        if begun is not None:
            begun(place)
        file_id = self._patiently(lambda: self._rest(source, place))
        answer: dict[str, Any] = self.client.get(f"/v1/files/{file_id}")
        return answer

    def _whole(self, source: Source) -> dict[str, Any]:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(source.size)}
        params = {"name": source.name, **self.said.given()}
        answer: dict[str, Any] = self.client.request(
            "POST", "/v1/files", params=params, content=source.read(0), headers=headers
        )
        return answer

    def _create(self, source: Source) -> str:
        said = {"filename": source.name, **self.said.given()}
        headers = {
            **RESUMABLE,
            "Upload-Length": str(source.size),
            "Upload-Metadata": ",".join(f"{key} {_base64(text)}" for key, text in said.items()),
        }
        create = partial(self.client.respond, "POST", "/v1/uploads", headers=headers)
        return str(self._patiently(create).headers["Location"])

    def _is_there(self, place: str) -> bool:
        """Tell whether an upload can be continued: it may have expired or been rejected."""
        try:
            upload = self._patiently(lambda: self.client.get(place))
        except Refused as refusal:
            if refusal.status in (404, 410):
                return False
            raise
        return bool(upload["state"] != "rejected")

    def _rest(self, source: Source, place: str) -> str:
        """Send what is not there yet; return the id of the file."""
        answer = self.client.respond("HEAD", place, headers=RESUMABLE)
        while (offset := int(answer.headers["Upload-Offset"])) < source.size:
            headers = {
                **RESUMABLE,
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(min(STEP, source.size - offset)),
            }
            answer = self.client.respond(
                "PATCH", place, headers=headers, content=_limited(source.read(offset), STEP)
            )
        return str(answer.headers.get("Mediamill-File") or self._checked(place))

    def _checked(self, place: str) -> str:
        """Wait until the server has looked at a large file; return its id."""
        while True:
            upload = self.client.get(place)
            if upload["file"]:
                return str(upload["file"])
            if upload["state"] == "rejected":
                message = upload["error"] or "The server rejected the file."
                raise Refused(message, status=422, code=upload["code"] or "")
            self._pause(POLL_SECONDS)

    def _patiently(self, act: Callable[[], T]) -> T:
        """Try again what may pass: a connection that broke, a server that is busy or restarted."""
        for wait in range(TRIES):
            try:
                return act()
            except (Unreachable, Refused) as error:
                last: Failure = error
                if isinstance(error, Refused) and error.status not in PASSING:
                    raise
            except httpx.StreamError as error:  # the generator of an earlier try
                raise Unreachable(str(error)) from error
            self._pause(min(10, 0.5 * 2**wait))
        raise last


def _limited(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Yield at most so many bytes, then end the source."""
    left = most
    for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
