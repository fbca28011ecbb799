"""Follow jobs: wait for their end, or listen to their events and go on where the line broke."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mediamill.client import routes
from mediamill.client.calling import Flow, Give, Pause, Read, Request, Rows
from mediamill.client.errors import Problem, TimedOut, Unreachable
from mediamill.client.models import JobView
from mediamill.client.retrying import NEVER, Patience, Retries, opening, passes, sending

TERMINAL = frozenset({"succeeded", "partial", "failed", "cancelled", "expired"})
PATIENCE_SECONDS = 60.0
"""How long a server that was there may be away, as when it is restarted."""
LONGEST_WAIT = 30
"""Seconds for which the server holds a question for news."""
PAUSE_SECONDS = 2.0
SLACK_SECONDS = 1.0
"""How much later than its time an answer may still come."""
RETRIES = Retries(tries=10_000, first=0.25, longest=1.0, total=PATIENCE_SECONDS)


def waiting(
    job: JobView | str, timeout: float | None, each: float, changed: Callable[[JobView], None]
) -> Flow[JobView]:
    """Return a job once it has ended; the server is asked at least every `each` seconds.

    `changed` is told of every answer. Raises `TimedOut` after `timeout` seconds; the job goes on.
    """
    until = None if timeout is None else time.monotonic() + timeout
    found: JobView | None = None if isinstance(job, str) else job
    here = routes.get_job.at(job_id=job if isinstance(job, str) else job["id"])
    while found is None or found["state"] not in TERMINAL:
        left = PATIENCE_SECONDS if until is None else until - time.monotonic()
        if left <= 0:
            raise TimedOut(f"The job has not ended within {timeout:g} seconds.")
        wait = max(0, int(min(each, left, LONGEST_WAIT)))
        bounded = until is not None and left < PATIENCE_SECONDS
        within = left + SLACK_SECONDS if bounded else None
        request = Request("GET", here, params={"wait": wait}, within=within)
        retries = replace(RETRIES, total=left) if bounded else RETRIES
        try:
            found = (yield from sending(request, retries)).json()
        except Unreachable as error:
            if not bounded:
                raise
            message = f"The job is not known to have ended within {timeout:g} seconds."
            raise TimedOut(message) from error
        assert found is not None  # noqa: S101 - tells mypy what an answer is
        changed(found)
        if wait < 1 and found["state"] not in TERMINAL:
            yield Pause(min(0.2, left))
    return found


@dataclass(frozen=True)
class Event:
    """One event; `id` is the last that the stream gave."""

    kind: str
    """`job`, a snapshot of a job, or `job_deleted`."""
    data: dict[str, Any]
    id: str


def events(path: str) -> Rows[Event]:
    """Give events until the server says that there are no more.

    A stream that breaks is taken up behind the last event; raises `Unreachable` when the server is
    away for a minute, `Problem` when it does not let us.
    """
    line = _Line(path, Patience(RETRIES))
    while not line.over:
        try:
            yield from line.listen()
        except Unreachable:
            if not (yield from line.patience.wait()):
                raise
        except Problem as problem:
            if not passes(problem) or not (yield from line.patience.wait(problem.retry_after)):
                raise
        else:
            if not line.over:
                yield Pause(PAUSE_SECONDS)


@dataclass
class _Line:
    """A listener: which event it has seen last, and whether there are no more."""

    path: str
    patience: Patience
    last: str = ""
    over: bool = False

    def listen(self) -> Rows[Event]:
        """Give what one connection brings."""
        headers = {"Accept": "text/event-stream"}
        if self.last:
            headers["Last-Event-ID"] = self.last
        head = yield from opening(Request("GET", self.path, headers=headers), NEVER)
        self.patience.renew()
        self.over, parser = head.status == 204, Parser(self.last)
        while not self.over and (piece := (yield Read())):
            for event in parser.feed(piece):
                self.last = event.id
                self.patience.renew()
                if event.kind == "gone":
                    self.over = True
                elif event.data:
                    yield Give(event)


class Parser:
    """Reads a stream of events as the HTML standard says; a block without data tells its id."""

    def __init__(self, last: str = "") -> None:
        self._last, self._rest = last, b""
        self._kind, self._data = "message", list[str]()

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yield the events that end in a piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            yield from self.line(line.removesuffix(b"\r").decode(errors="replace"))

    def line(self, line: str) -> Iterator[Event]:
        """Yield the event that a line ends, if it ends one."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            yield Event(self._kind, json.loads("\n".join(self._data) or "{}"), self._last)
            self._kind, self._data = "message", []
        elif name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._last = value
