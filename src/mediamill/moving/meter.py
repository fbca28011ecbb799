"""What a move tells while it goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

ROWS_A_SECOND, OBJECTS_A_SECOND, BYTES_A_SECOND = 2_000, 200, 40_000_000
"""What is assumed before anything was measured; bytes go there and come back once."""


def seconds_for(rows: int, objects: int, size: int) -> float:
    """Estimate how long so many records, and objects with so many bytes, take."""
    return rows / ROWS_A_SECOND + objects / OBJECTS_A_SECOND + size / BYTES_A_SECOND


@dataclass
class Meter:
    """Counts what is done of what there is to do, and tells the time left by the pace so far."""

    tell: Callable[["Meter"], None] = lambda meter: None
    """Called after each step."""
    stage: str = "looking"
    rows: int = 0
    compared: int = 0
    """Records that were read back."""
    objects: int = 0
    size: int = 0
    whole: float = 0.0
    """Estimated seconds of all that there is to do."""
    _began: float = field(default_factory=time.monotonic)
    _before: float = 0.0

    def begin(self, whole: float) -> None:
        """Start the clock; what was counted until now was done by an earlier run."""
        self.whole = whole
        self._began, self._before = time.monotonic(), self._weight

    def add(self, rows: int = 0, compared: int = 0, objects: int = 0, size: int = 0) -> None:
        """Count what was done."""
        self.rows += rows
        self.compared += compared
        self.objects += objects
        self.size += size
        self.tell(self)

    @property
    def _weight(self) -> float:
        return seconds_for(self.rows + self.compared, self.objects, self.size)

    @property
    def share(self) -> float:
        """Return how much is done, 0…1."""
        return min(1.0, self._weight / self.whole) if self.whole else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Return how long the rest may take; None while nothing was done."""
        done, passed = self._weight - self._before, time.monotonic() - self._began
        if done <= 0:
            return None
        return max(0.0, self.whole - self._weight) * passed / done
