"""DynamoDB's time, the same for every machine: the `Date` of its answers and the time since.

The header tells whole seconds, cut off, so each answer says that it is at least so late. The
largest such statement of the last minutes is right to a few milliseconds, whatever this machine's
clock says and however it is set meanwhile.
"""

import time
from collections import deque
from email.utils import parsedate_to_datetime
from typing import Any

GOOD_FOR = 300.0
"""Seconds that a statement counts: the machine's count of time may drift."""


class ServiceClock:
    """Milliseconds since 1970; never earlier than it said before."""

    def __init__(self) -> None:
        self._heard: deque[tuple[float, float]] = deque()
        """When (monotonic seconds) and what offset it gives (ms); the offsets fall."""
        self._last = 0

    def hear(self, answer: dict[str, Any]) -> None:
        """Take note of an answer's `Date`."""
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if date is None:
            return
        here = time.monotonic()
        offset = parsedate_to_datetime(date).timestamp() * 1000 - here * 1000
        while self._heard and self._heard[-1][1] <= offset:
            self._heard.pop()
        self._heard.append((here, offset))
        while here - self._heard[0][0] > GOOD_FOR:
            self._heard.popleft()

    def now(self) -> int | None:
        """Return the time; None before the first answer."""
        if not self._heard:
            return None
        self._last = max(self._last, int(time.monotonic() * 1000 + self._heard[0][1]))
        return self._last
