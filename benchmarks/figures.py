"""What counting costs: uploads and items of jobs with figures over the same without.

    .venv/bin/python benchmarks/figures.py [--rounds 30] [--files 40]

One service in this process, on SQLite, takes files in and runs a job over them, in turns: in one
turn everything is counted, in the next nothing is. Files are ten bytes and the operation makes a
copy, so that what else there is to do is as little as it can be; whatever people really do takes
longer, and counting does not. Printed are the medians of the milliseconds of a file and of an item,
by the clock and of this process's processor, and those of the ratios of turns beside each other: 1
is for nothing.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' operations serve here too

from tests.support.chains import CHAINED

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.engine.tallying import Tallying
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.repositories.figures import Figures

ANN = Principal("user_ann")
SIDES = ("without", "with")
MEASURED = ("upload", "item")


@contextmanager
def counting(side: str) -> Iterator[None]:
    """Count in the block, or do not."""

    async def none(*_: object) -> list[object]:
        return []

    if side == "with":
        yield
        return
    with (
        patch.object(Figures, "counting_all", none),
        patch.object(Tallying, "added", lambda *_: {}),
    ):
        yield


async def turn(app: App, number: int, files: int) -> dict[str, tuple[float, float]]:
    """Take files in and run a job over them; return milliseconds of each, and of the processor."""
    taken, ids = {}, list[str]()
    clock, processor = time.perf_counter(), time.process_time()

    async def one(n: int) -> None:
        async def chunks():
            yield f"{number:05}{n:05}".encode()

        ids.append((await app.uploads.receive(ANN, f"{n}.txt", chunks(), None)).id)

    await asyncio.gather(*(one(n) for n in range(files)))
    taken["upload"] = _since(clock, processor, files)
    clock, processor = time.perf_counter(), time.process_time()
    request = JobRequest(files=tuple(ids), steps=(("shout", {}),), reuse=False)
    job = await app.jobs.submit(ANN, request)
    job = await app.jobs.wait(ANN, job.id, 100)
    assert job.state == "succeeded", job
    taken["item"] = _since(clock, processor, files)
    return taken


def _since(clock: float, processor: float, count: int) -> tuple[float, float]:
    each = 1000 / count
    return (time.perf_counter() - clock) * each, (time.process_time() - processor) * each


async def main(rounds: int, files: int) -> None:
    """Measure, in turns, and print."""
    configure_logging("json", "error")
    took = {what: {side: list[tuple[float, float]]() for side in SIDES} for what in MEASURED}
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), min_free_bytes=0, poll_seconds=0.1)
        async with await App.open(settings, CHAINED) as app:
            worker = await app.worker()
            working = asyncio.create_task(worker.run())
            for number in range(2 * (rounds + 1)):
                side = SIDES[(number + number // 2) % 2]  # each is first as often
                with counting(side):
                    taken = await turn(app, number, files)
                if number > 1:  # the first of each warm up
                    for what, one in taken.items():
                        took[what][side].append(one)
            worker.stop()
            await working
    for what, sides in took.items():
        for side, times in sides.items():
            clock, processor = (median(column) for column in zip(*times, strict=True))
            print(f"{what:>7} {side:>8}: {clock:7.3f} ms, processor {processor:7.3f} ms")
        pairs = [*zip(sides["without"], sides["with"], strict=True)]
        ratios = (median(b[place] / a[place] for a, b in pairs) for place in (0, 1))
        print("{:>7}    ratio: {:7.3f}   , processor {:7.3f}".format(what, *ratios))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--files", type=int, default=40)
    given = parser.parse_args()
    asyncio.run(main(given.rounds, given.files))
