"""Time as the code reads it: whole milliseconds since 1970-01-01 UTC.

Leases and due times compare against the *store's* clock (`Store.now`); this one is for everything
else, and a test hands in `FixedClock` to move time by hand.
"""

import time
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """Tell the present time in milliseconds."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class FixedClock:
    """A clock that moves only when told."""

    def __init__(self, at: int = 1_750_000_000_000) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def advance(self, milliseconds: int) -> None:
        self.at += milliseconds


def rfc3339(milliseconds: int) -> str:
    """Write a time as `2026-11-21T01:38:26.123Z`."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(text: str) -> int:
    """Return a day or time (RFC 3339, UTC where it says nothing) in milliseconds.

    Raises `ValueError` for what is none.
    """
    moment = datetime.fromisoformat(text)
    told = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return int(told.timestamp() * 1000)
    except OverflowError as error:  # a year that its time zone leads out of the calendar
        raise ValueError(str(error)) from None


NO_TIME = "This is no day or time: write 2026-11-21 or 2026-11-21T13:45:00Z."
