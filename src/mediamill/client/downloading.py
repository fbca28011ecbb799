"""Fetch a body to its end: taken up where it broke, waited for while it is put together.

Ranges are asked for with `If-Range` (RFC 9110): content that changed since comes anew.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from mediamill.client.calling import (
    Close,
    Flow,
    Give,
    Open,
    Pause,
    Read,
    Request,
    Response,
    Rows,
    Work,
    whole,
)  # fmt: skip
from mediamill.client.errors import Changed, ClientError, Problem, Unreachable
from mediamill.client.retrying import NEVER, Patience, Retries, opening, passes
from mediamill.client.sources import Progress

CHUNK = 1 << 18
PACKING_SECONDS, PACKING_PAUSE = 1800, 2.0
"""How long a download that is being put together is waited for, and how often it is asked for."""
AS_IT_IS = {"Accept-Encoding": "identity"}
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


@dataclass
class Fetch:
    """One body on its way into a file that is open for reading and writing."""

    path: str
    stream: BinaryIO
    retries: Retries
    params: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = field(default=lambda _done, _total: None)
    begun: Callable[[str, int], None] = field(default=lambda _etag, _total: None)
    """Told the entity tag and the size when a body begins from its first byte."""
    etag: str = ""
    done: int = 0
    """Bytes that are there already, of a body with this entity tag."""
    total: int = 0
    name: str = ""
    """What the server calls it."""
    _at_once: int = 0

    def run(self) -> Flow[None]:
        """Fetch what is missing; raises `Problem` and `Unreachable`."""
        patience, until = Patience(self.retries), time.monotonic() + PACKING_SECONDS
        while True:
            before = self.done
            try:
                head: Response = yield Open(self._request(), CHUNK)
                if head.failed:
                    if (yield from self._refused((yield from whole(head)), patience, until)):
                        continue
                    return
                yield from self._body(head)
                if self.done >= self.total or not head.headers.get("Content-Range"):
                    return
            except Unreachable as error:
                if self.done > before:
                    patience.renew()
                if not (error.sent or self.retries.connecting) or not (yield from patience.wait()):
                    raise

    def _request(self) -> Request:
        headers = dict(AS_IT_IS)
        if self._at_once:
            headers["Range"] = f"bytes={self.done}-{self.done + self._at_once - 1}"
        elif self.done and self.etag:
            headers["Range"] = f"bytes={self.done}-"
        if "Range" in headers and self.etag:
            headers["If-Range"] = self.etag
        return Request("GET", self.path, params=self.params, headers=headers, follow=True)

    def _body(self, head: Response) -> Flow[None]:
        """Write what comes; the whole anew where it is no continuation."""
        if not self._continues(head):
            self.etag, self.done = head.headers.get("ETag", ""), 0
            self.total, self.name = _total(head), name_of(head)
            yield Work(partial(cut, self.stream, 0))
            self.begun(self.etag, self.total)
        self.name = self.name or name_of(head)
        self.progress(self.done, self.total)
        while chunk := (yield Read()):
            yield Work(partial(self.stream.write, chunk))
            self.done += len(chunk)
            self.progress(self.done, self.total)
        yield Work(self.stream.flush)

    def _continues(self, head: Response) -> bool:
        found = RANGE.fullmatch(head.headers.get("Content-Range", ""))
        if head.status != 206 or not found or not self.done or int(found[1]) != self.done:
            return False
        if self.etag and head.headers.get("ETag", self.etag) != self.etag:
            return False
        self.total = int(found[2])
        return True

    def _refused(self, answer: Response, patience: Patience, until: float) -> Flow[bool]:
        """Tell whether to ask again; False when all is there. Raises `Problem`."""
        problem = answer.problem()
        if not self._at_once and (most := _at_once(problem)):
            self._at_once = most
        elif problem.status == 416 and self.done:
            size = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if size == str(self.done):  # its tag was the one asked for, else all would have come
                self.total = self.done
                return False
            self.done, self.etag = 0, ""
        elif _packing(problem):
            if time.monotonic() > until:
                raise problem
            yield Pause(PACKING_PAUSE)
        elif not passes(problem) or not (yield from patience.wait(problem.retry_after)):
            raise problem
        return True


def _at_once(problem: Problem) -> int:
    """Return how many bytes an answer may have, if it says that it would have more; else 0."""
    if problem.status == 413 and problem.details.get("ranged"):
        return int(problem.details.get("most") or 0)
    return 0


def _packing(problem: Problem) -> bool:
    """Tell whether a download is being put together; not while it waits for a worker."""
    return problem.code == "packing" and not problem.details.get("for_workers", False)


def _total(head: Response) -> int:
    """Return how many bytes there are in all; 0 where nothing is said."""
    ranged = head.headers.get("Content-Range", "").rpartition("/")[2]
    told = ranged or head.headers.get("Content-Length", "")
    return int(told) if told.isdigit() else 0


def cut(stream: BinaryIO, size: int) -> None:
    stream.seek(size)
    stream.truncate()


def name_of(head: Response) -> str:
    """Read the file name of a Content-Disposition header (RFC 6266), without any folder."""
    found = {}
    for part in head.headers.get("Content-Disposition", "").split(";"):
        key, _, value = part.strip().partition("=")
        found[key.lower()] = value.strip('"')
    wide = found.get("filename*", "")
    name = unquote(wide[7:]) if wide.lower().startswith("utf-8''") else found.get("filename", "")
    return Path(name).name


def reading(
    path: str, start: int, stop: int, etag: str, retries: Retries,
    params: Mapping[str, Any] | None = None,
) -> Rows[bytes]:  # fmt: skip
    """Give the bytes `start … stop` of a body, whatever breaks on the way.

    Raises `Changed` when its entity tag is not `etag` any more.
    """
    patience = Patience(retries)
    while start < stop:
        headers = {**AS_IT_IS, "Range": f"bytes={start}-{stop - 1}", "If-Range": etag}
        asked: float | None = None
        try:
            request = Request("GET", path, params=params or {}, headers=headers)
            head = yield from opening(request, NEVER, CHUNK)
            if head.status != 206:
                yield Close()
                raise Changed("The content has changed meanwhile.")
            while chunk := (yield Read()):
                start += len(chunk)
                patience.renew()
                yield Give(chunk)
            if start >= stop:
                return
            failure: ClientError = Unreachable("The server gave less than it was asked for.")
        except Unreachable as error:
            message = f"The server broke off again and again ({error.reason})."
            failure = Unreachable(message, sent=error.sent, reason=error.reason)
        except Problem as problem:
            if not passes(problem):
                raise
            failure, asked = problem, problem.retry_after
        if not (yield from patience.wait(asked)):
            raise failure


def passing(request: Request, retries: Retries) -> Rows[bytes]:
    """Give the body of an answer as it comes; one that breaks is not taken up again."""
    yield from opening(request, retries)
    while chunk := (yield Read()):
        yield Give(chunk)
