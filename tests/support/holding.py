"""How long an event loop stands still while something runs, and how long work takes."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Clock = Callable[[], float]
TRIES = 3


def undisturbed() -> float:
    """Return seconds of a clock that stands still while this thread waits for a processor.

    Where the kernel does not count that, it is the usual clock.
    """
    now, file = time.perf_counter(), Path("/proc/thread-self/schedstat")
    try:
        return now - int(file.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return now


async def done_within(bound: float, work: Callable[[], Awaitable]) -> Any:
    """Return what `work()` returned once it took less than `bound` seconds.

    It is tried again: what waits for something waits each time.
    """
    took = []
    for _ in range(TRIES):
        began = time.monotonic()
        result = await work()
        took.append(round(time.monotonic() - began, 2))
        if took[-1] < bound:
            return result
    raise AssertionError(f"it took {took} s, {bound} s are allowed")


async def longest_hold(work: Awaitable, clock: Clock = time.thread_time) -> tuple[float, Any]:
    """Return how long the loop stood still at most while `work` ran, in seconds, and its result.

    With `time.thread_time` only its own work counts, not that of whoever else is on the machine.
    """
    worst, running = 0.0, asyncio.ensure_future(work)
    while not running.done():
        began = clock()
        await asyncio.sleep(0.005)
        worst = max(worst, clock() - began)
    return worst, running.result()


async def hold_below(
    bound: float, work: Callable[[], Awaitable], clock: Clock = time.thread_time
) -> Any:
    """Return what `work()` returned once the loop stood still for less than `bound` seconds.

    It is tried again: a loop that is blocked is blocked each time, a machine that was slow for a
    moment or a collection of all garbage is not. What other tests left goes before.
    """
    held = []
    for _ in range(TRIES):
        gc.collect()
        worst, result = await longest_hold(work(), clock)
        if worst < bound:
            return result
        held.append(round(worst, 2))
    raise AssertionError(f"the loop stood still for {held} s, {bound} s are allowed")
