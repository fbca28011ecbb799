"""Two sides or more in turns, in processes that stay: each on a core of its own.

The other side's Python need not know this project: nothing here imports it.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

KEEPING = {"MALLOC_TRIM_THRESHOLD_": str(128 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
"""What slots are started with (`engine/slots/launch.py`)."""

Speed = tuple[float, float]
"""How many a second, by the clock on the wall and by processor time, which bears others' load."""


def photo(n: int) -> Any:
    """Return a photo of MEDIAMILL_SAMPLES as a PIL image in RGB; noise where there are none."""
    import numpy as np
    from PIL import Image

    samples = os.environ.get("MEDIAMILL_SAMPLES")
    found = sorted(Path(samples).glob("p*.jpg")) if samples else []
    if found:
        return Image.open(found[n % len(found)]).convert("RGB")
    noise = np.random.default_rng(n).integers(0, 255, (60, 80, 3), np.uint8)
    return Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BICUBIC)


class Worker:
    """A process that works through numbers; it runs `answering`."""

    def __init__(self, command: list[str], core: int, keeping: bool = True) -> None:
        """`keeping` gives it the allocator's settings of our slots."""
        cores = sorted(os.sched_getaffinity(0))
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(KEEPING if keeping else {})},
            preexec_fn=lambda: os.sched_setaffinity(0, {cores[core % len(cores)]}),
        )  # fmt: skip

    def ask(self, numbers: list[int]) -> None:
        """Hand it work."""
        self._process.stdin.write(json.dumps(numbers) + "\n")
        self._process.stdin.flush()

    def wait(self) -> float:
        """Wait until it is done; return the seconds of processor time it took."""
        told = self._process.stdout.readline()
        assert told, "the other side ended"
        return float(told)

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait()


def answering(work: Callable[[int], object]) -> None:
    """Work through what is asked on standard input, a list of numbers a line."""
    for line in sys.stdin:
        begin = time.process_time()
        for number in json.loads(line):
            work(number)
        print(time.process_time() - begin, flush=True)


def in_turns(sides: dict[str, list[Worker]], rounds: int, count: int) -> dict[str, Speed]:
    """Return the medians of each side over some rounds; a round before them warms up."""
    speeds: dict[str, list[Speed]] = {side: [] for side in sides}
    for turn in range(rounds + 1):
        for side, workers in sides.items():
            speed = together(workers, count)
            if turn:
                speeds[side].append(speed)
    for workers in sides.values():
        for worker in workers:
            worker.close()
    return {
        side: (median(wall for wall, _ in found), median(cpu for _, cpu in found))
        for side, found in speeds.items()
    }


def together(workers: list[Worker], count: int) -> Speed:
    """Have all workers of a side do their share at the same time."""
    begin = time.perf_counter()
    for n, worker in enumerate(workers):
        worker.ask(list(range(n, count, len(workers))))
    used = sum(worker.wait() for worker in workers)
    return count / (time.perf_counter() - begin), count / used


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Bind what is started in the block to the first cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def used(pid: int) -> float:
    """Return the seconds of processor time of a process and those below it that are alive."""
    own = time.clock_gettime(~pid << 3 | 2)  # the kernel's clock of a process (posix-timers.h)
    below = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            children = (task / "children").read_text().split()
            below += sum(used(int(child)) for child in children)
    return own + below
