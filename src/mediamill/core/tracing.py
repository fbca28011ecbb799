"""Traces: what belongs to one request, through workers to the mail that tells of its end.

A span is something that took time. One is opened where work comes in (a request, a unit), below the
one that asked for it, which a `traceparent` (W3C Trace Context) names; within it others are opened
by `span`. Whatever is written down meanwhile and is to go on later, such as a unit, keeps the
`traceparent` of now. Where nobody collects traces there is none, and nothing is done.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog

FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""https://www.w3.org/TR/trace-context/#traceparent-header"""

Value = str | int | float | bool


class Kind(StrEnum):
    SERVER = "server"
    """A request that came in."""
    CONSUMER = "consumer"
    """Work that was taken from a queue."""
    CLIENT = "client"
    """A request of ours to somebody else."""
    INTERNAL = "internal"


class Span(Protocol):
    """Something that takes time."""

    traceparent: str

    def note(self, **facts: Value) -> None:
        """Say more of it: few facts, none of them a secret, a name of a file or of a user."""

    def rename(self, name: str) -> None:
        """Call it otherwise, once that is known."""

    def fail(self, reason: str) -> None:
        """Say that it failed, by the kind of error: texts of errors may hold what users wrote."""


class Tracer(Protocol):
    """Makes spans and sends them where they are collected."""

    def span(
        self,
        name: str,
        kind: Kind,
        parent: str | None,
        facts: Mapping[str, Value],
        began: int | None = None,
    ) -> AbstractContextManager[Span]:
        """Open a span below another; `began` is when it did (ns), now if it is not given.

        An error that leaves the block fails it.
        """

    async def flush(self, seconds: float) -> None:
        """Send what there is now, as far as that is taken within a time."""

    async def close(self) -> None:
        """Send what is left, as far as that is taken within some seconds."""


class _Nothing:
    """The span where nobody collects any."""

    traceparent = ""

    def note(self, **facts: Value) -> None:
        return

    def rename(self, name: str) -> None:
        return

    def fail(self, reason: str) -> None:
        return


NOTHING = _Nothing()


@dataclass(frozen=True)
class _Now:
    tracer: Tracer
    traceparent: str


_now: ContextVar[_Now | None] = ContextVar("trace", default=None)


@contextmanager
def begun(
    tracer: Tracer | None, name: str, kind: Kind, parent: str | None, **facts: Value
) -> Iterator[Span]:
    """Open the span of what comes in; without a tracer there is none.

    A parent that is no `traceparent` counts for nothing. Log lines within have its `trace`.
    """
    if tracer is None:
        yield NOTHING
        return
    known = parent if parent and FORM.fullmatch(parent) else None
    with tracer.span(name, kind, known, facts) as opened:
        token = _now.set(_Now(tracer, opened.traceparent))
        try:
            with structlog.contextvars.bound_contextvars(trace=opened.traceparent.split("-")[1]):
                yield opened
        finally:
            _now.reset(token)


@contextmanager
def span(name: str, kind: Kind = Kind.INTERNAL, **facts: Value) -> Iterator[Span]:
    """Open a span below the one that is open; where none is, there is none."""
    now = _now.get()
    if now is None:
        yield NOTHING
        return
    with now.tracer.span(name, kind, now.traceparent, facts) as opened:
        token = _now.set(_Now(now.tracer, opened.traceparent))
        try:
            yield opened
        finally:
            _now.reset(token)


def past(name: str, began: int, failed: str = "", **facts: Value) -> None:
    """Note a span that began at a time (ns) and ends now."""
    if (now := _now.get()) is not None:
        with now.tracer.span(name, Kind.INTERNAL, now.traceparent, facts, began) as opened:
            if failed:
                opened.fail(failed)


def traceparent() -> str | None:
    """Return what names the open span to others; None where nobody collects any."""
    now = _now.get()
    return None if now is None else now.traceparent
