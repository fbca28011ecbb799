"""`mediamill` on a machine whose clock is wrong by as many seconds as a file says, at any time.

`python -m tests.faults.wrong_clock FILE worker --home …`; the clock jumps when the file changes.
What measures how much time has passed (`time.monotonic`) is right, as on a real machine.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from mediamill.cli import main


def set_wrong(file: Path) -> None:
    """Shift the wall clock of this process."""
    right, right_ns = time.time, time.time_ns

    def shift() -> float:
        text = file.read_text()
        return float(text) if text else 0.0

    seconds: Callable[[], float] = lambda: right() + shift()  # noqa: E731
    nanoseconds: Callable[[], int] = lambda: right_ns() + int(shift() * 1e9)  # noqa: E731
    time.time, time.time_ns = seconds, nanoseconds


if __name__ == "__main__":
    set_wrong(Path(sys.argv.pop(1)))
    main()
