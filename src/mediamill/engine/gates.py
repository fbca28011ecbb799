"""Gates: a few at a time through each, and the others are told when to come back.

Who waits for somebody else's server holds a runner meanwhile. So that one that hangs does not hold
them all, the units that would go there too are given back until it is about their turn.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST_MS, MOST_MS = 20, 300_000
REMEMBERED = 1_000
"""Places whose pace is kept in mind, at least."""
FIRST_GUESS = 0.5
"""Seconds that a visit takes, before one was seen."""


@dataclass
class Door:
    """One place: who is inside, and when the next of those who wait may come (monotonic)."""

    inside: int = 0
    next: float = 0.0
    pace: float = FIRST_GUESS
    took: float | None = None
    """Seconds of the last visit, None before one was seen."""

    def book(self, most: int, now: float) -> int:
        """Return for how long (ms) to stay away: one after the other, as visits have taken."""
        self.next = min(max(self.next, now) + self.pace / most, now + MOST_MS / 1000)
        return max(LEAST_MS, round((self.next - now) * 1000))


class Gates:
    """Lets at most so many through at a time to each of any number of places, in this process."""

    def __init__(
        self, most: int, clock: Callable[[], float] = time.monotonic, guess: float = FIRST_GUESS
    ) -> None:
        self.most, self._clock, self._guess = most, clock, guess
        self._doors: dict[str, Door] = {}

    def enter(self, place: str) -> int:
        """Return 0 when one may go in, who must `leave`; else when to come back (ms)."""
        if place not in self._doors and len(self._doors) >= REMEMBERED:
            self._forget()
        door = self._doors.setdefault(place, Door(pace=self._guess))
        if door.inside < self.most:
            door.inside += 1
            return 0
        return door.book(self.most, self._clock())

    def leave(self, place: str, seconds: float | None = None) -> None:
        """Note that one has left; `seconds` is how long it took, None if nothing was done."""
        door = self._doors[place]
        door.inside -= 1
        if seconds is not None:
            door.pace += 0.3 * (seconds - door.pace)
            door.took = seconds

    def took(self, place: str) -> float | None:
        """Return how long (s) the last visit took; None where none is known."""
        door = self._doors.get(place)
        return None if door is None else door.took

    def _forget(self) -> None:
        """Let go of the places at which nobody is or is to come."""
        now = self._clock()
        self._doors = {
            place: door for place, door in self._doors.items() if door.inside or door.next > now
        }


def enter_all(doors: Sequence[tuple[Gates, str]]) -> int:
    """Enter all of some places, or none: return 0, else when to come back (ms)."""
    for count, (gates, place) in enumerate(doors):
        if wait := gates.enter(place):
            for before, entered in doors[:count]:
                before.leave(entered)
            return wait
    return 0
