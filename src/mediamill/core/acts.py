"""What is being done now that goes into the audit trail, and where it was asked from.

A service says what it has done (`note`), wherever that was asked for; who let the request in
(`web/auditing.py`, `mediamill admin`) collects it and writes it down before it answers. What a
worker does by itself is nobody's act: nothing collects there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import structlog

MAX_AGENT = 200
"""Characters of what a program calls itself that are kept."""


@dataclass(frozen=True)
class Origin:
    """Who asks, as far as the network shows it."""

    address: str = ""
    """The client's IP address."""
    agent: str = ""
    """What it calls itself (RFC 9110, section 10.1.5)."""
    request: str = ""
    """The id of the request, which the log has too."""


@dataclass(frozen=True)
class Noted:
    """Something done, or denied."""

    action: str
    about: str | None
    actor: str | None
    """Who did it; None: who asks."""
    denied: bool
    details: dict[str, Any]


@dataclass
class Acts:
    """What one request has done so far."""

    origin: Origin
    noted: list[Noted] = field(default_factory=list)


log = structlog.get_logger(__name__)

_now: ContextVar[Acts | None] = ContextVar("acts", default=None)


@contextmanager
def collecting(origin: Origin) -> Iterator[Acts]:
    """Collect what is noted within the block."""
    acts = Acts(origin)
    token = _now.set(acts)
    try:
        yield acts
    finally:
        _now.reset(token)


def note(
    action: str,
    about: str | None = None,
    *,
    actor: str | None = None,
    owner: str = "",
    denied: bool = False,
    **details: Any,
) -> None:
    """Say what was done, or denied: to which record or user, and by whom if not by who asks.

    The log has it too, and alone says whose the record is. `details` are facts that are no secret,
    no name, no content, and name no user: those are `about` and `actor`, by which an erasure finds
    them.
    """
    said = {"by": actor, "owner": owner}
    told = {"about": about, **{name: one for name, one in said.items() if one}, **details}
    log.info(action.replace("_", " "), action=action, **told)
    if (acts := _now.get()) is not None:
        acts.noted.append(Noted(action, about, actor, denied, details))


def origin() -> Origin:
    """Return where what is being done now was asked from; from nowhere in a worker."""
    acts = _now.get()
    return Origin() if acts is None else acts.origin
