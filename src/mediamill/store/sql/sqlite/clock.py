"""The time of one SQLite file, the same for all processes that have it open.

`{file}-clock` says what time it was when this machine started: whoever opens the file while nobody
else has it open writes that down by the machine's clock, all others go by what is written. From
then on only the time that has passed counts, so a clock that is set while leases are held ends none
of them early. Everybody holds a shared lock on it; the last to go lets the time be set anew.
"""

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

TRIES = 5
PATIENCE = 10.0
"""Seconds to wait for whoever has the file alone: a moment, but for a move (`reading.py`)."""


class SharedClock:
    """Milliseconds since 1970 by what the first opener's clock said."""

    def __init__(self, path: Path) -> None:
        """Open the clock of a database; raises `OSError` when that is not allowed."""
        self._file = os.open(f"{path}-clock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._started = self._agreed()
        except BaseException:
            self.close()
            raise

    def now(self) -> int:
        """Return the time now."""
        return self._started + _passed()

    def close(self) -> None:
        """Let go of the lock; the clock must not be closed twice."""
        os.close(self._file)

    def _agreed(self) -> int:
        machine = _machine()
        for _ in range(TRIES):
            if self._alone():
                started = time.time_ns() // 1_000_000 - _passed()
                _write(self._file, f"{started} {machine}")
            _share(self._file)
            written, _, by = os.pread(self._file, 1_000, 0).decode().partition(" ")
            if written and by == machine:
                return int(written)
            fcntl.flock(self._file, fcntl.LOCK_UN)  # who was alone died before writing: again
            time.sleep(0.01)
        _share(self._file)  # another machine's count of time: go by our own
        return time.time_ns() // 1_000_000 - _passed()

    def _alone(self) -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


def _share(file: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                reason = "it is being moved; wait for `mediamill migrate` to end"
                raise BlockingIOError(errno.EAGAIN, reason) from None
            time.sleep(0.01)
        else:
            return


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)


def _passed() -> int:
    """Return the milliseconds since the machine started, with those that it slept."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(which) // 1_000_000


def _machine() -> str:
    """Name what counts the time that passes: this start of this machine, and its time namespace."""
    parts = []
    for place in ("/proc/sys/kernel/random/boot_id", "/proc/self/timens_offsets"):
        with suppress(OSError):
            parts += Path(place).read_text().split()
    return " ".join(parts)
