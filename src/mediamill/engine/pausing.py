"""A pause: while somebody's server is away one at a time tries it, and the others stay away."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import uniform

LEAST_MS = 20


@dataclass
class Pause:
    """Until when nobody tries, but one who sees whether the server is back; in this process.

    Who waits books a time of their own after the pause, so that a long queue does not come back
    whole at each trial, and none waits longer than `most` once the server is back.
    """

    shortest: float = 5.0
    longest: float = 120.0
    trial: float = 90.0
    """How long who tries may take, at most."""
    pace: float = 1.0
    """Seconds between two who come back."""
    most: float = 300.0
    """No time is booked that is further away."""
    until: float = 0.0
    why: str = ""
    clock: Callable[[], float] = time.monotonic
    _last: float = 0.0
    _since: float = 0.0
    _next: float = 0.0

    @property
    def on(self) -> bool:
        """Whether one has to wait."""
        return self.clock() < self.until

    def book(self) -> int:
        """Return for how long (ms) to stay away; 0 when one may `enter`."""
        now = self.clock()
        if now >= self.until:
            return 0
        mine, last = max(self._next, self.until), now + self.most
        if mine > last:  # more wait than there are such times: not all at the last
            mine = uniform(now + self.most / 2, last)  # noqa: S311 - jitter
        else:
            self._next = mine + self.pace
        return LEAST_MS + math.ceil((mine - now) * 1000)

    def enter(self) -> float:
        """Try now, as the only one after a pause; return the time, which `begin` is told."""
        now = self.clock()
        if self._last:
            self.until = now + self.trial
        return now

    def leave(self) -> None:
        """Nothing was tried: whoever comes next tries."""
        if self._last:
            self.until = self.clock()

    def begin(self, why: str, tried: float) -> None:
        """The server is away: wait, longer than the last time.

        Several who tried beside each other, and failed together, have seen one failure.
        """
        if tried < self._since:
            return
        self.why = why
        self._last = min(self.longest, max(self.shortest, 2 * self._last))
        self._since = self.clock()
        self.until = self._since + self._last

    def end(self) -> None:
        """The server is there."""
        self.until = self._last = self._next = 0.0
