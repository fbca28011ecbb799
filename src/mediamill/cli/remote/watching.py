"""Follow the jobs on a server by its events: read the stream, and go on where it broke."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.following import PATIENCE_SECONDS, note_of
from mediamill.cli.terminal.failures import Unreachable

PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Event:
    """One event; `id` is the last that the stream gave."""

    kind: str
    data: dict[str, Any]
    id: str


def events(client: Client, path: str) -> Iterator[Event]:
    """Yield events until the server says that there are no more.

    A stream that breaks is taken up behind the last event; raises `Unreachable` when the server is
    away for a minute, `Refused` when it does not let us.
    """
    last, away = "", 0.0
    while True:
        try:
            with client.stream(path, {"Last-Event-ID": last} if last else {}) as response:
                if response.status_code == httpx.codes.NO_CONTENT:
                    return
                for event in parsed(response.iter_lines(), last):
                    last, away = event.id, 0.0
                    if event.kind == "gone":
                        return
                    if event.data:
                        yield event
        except (Unreachable, httpx.TransportError):
            away = away or time.monotonic()
            if time.monotonic() - away > PATIENCE_SECONDS:
                raise
        time.sleep(PAUSE_SECONDS)


def parsed(lines: Iterable[str], last: str = "") -> Iterator[Event]:
    """Read the lines of a stream as the HTML standard says; a block without data tells its id."""
    kind, data = "message", list[str]()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            yield Event(kind, json.loads("\n".join(data) or "{}"), last)
            kind, data = "message", []
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last = value


def line_of(event: Event) -> str:
    """Write an event for people: id, state, percent, what is done."""
    job = event.data
    if event.kind != "job":
        return f"{job.get('id', '')}\tdeleted"
    percent = f"{100 * float(job['progress']['fraction']):.0f} %"
    return "\t".join((job["id"], job["state"], percent, note_of(job), job.get("name") or ""))
