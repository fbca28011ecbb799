"""What counting costs: uploads and items of jobs with figures over the same without.

    .venv/bin/python benchmarks/figures.py [--stores sqlite,postgresql] [--minutes 5] [--files 40]

One service in this process takes files in and runs a job over them, in turns: in one turn
everything is counted, in the next nothing is, in the order without, with, with, without. Files are
ten bytes and the operation makes a copy, so that what else there is to do is as little as it can
be; whatever people really do takes longer, and counting does not. Printed are medians of the
milliseconds of a file and of an item, and that of the ratios of turns beside each other, with the
interval in which it lies with 95 % (bootstrap): by the clock, and of the processor, of this process
with its slots and the database server. What others do on the machine widens the interval, and
falls on both sides alike. It goes on until the intervals of the processor are narrow, or for so
many minutes for each store.
"""

import argparse
import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' operations serve here too

from tests.support.chains import CHAINED
from tests.support.postgres import postgres_server

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
WAYS = ("clock", "processor")
MEASURED_PROCESSES = {os.getpid()}
"""This one, and the database server."""
NARROW = 0.01
"""Half of an interval that is narrow enough."""
LEAST = 20
"""Pairs of turns of which an interval is drawn."""


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
    gc.collect()
    start = time.perf_counter(), processor()

    async def one(n: int) -> None:
        async def chunks():
            yield f"{number:05}{n:05}".encode()

        ids.append((await app.uploads.receive(ANN, f"{n}.txt", chunks(), None)).id)

    await asyncio.gather(*(one(n) for n in range(files)))
    taken["upload"] = _since(start, files)
    start = time.perf_counter(), processor()
    request = JobRequest(files=tuple(ids), steps=(("shout", {}),), reuse=False)
    job = await app.jobs.submit(ANN, request)
    job = await app.jobs.wait(ANN, job.id, 300)
    assert job.state == "succeeded", job
    taken["item"] = _since(start, files)
    return taken


def _since(start: tuple[float, float], count: int) -> tuple[float, float]:
    each = 1000 / count
    return (time.perf_counter() - start[0]) * each, (processor() - start[1]) * each


def processor() -> float:
    """Return the seconds that this process, the server, and those that they began have run."""
    parents = dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it has ended
    ours, grown = {*MEASURED_PROCESSES}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in ours} - ours
        ours, grown = ours | more, bool(more)
    return time.process_time() + sum(map(_ran, ours - {os.getpid()}))


def _ran(pid: int) -> float:
    total = 0.0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            continue
    return total


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return between what the median lies with 95 %, by drawing samples of the sample."""
    draw = random.Random(1)
    medians = sorted(median(draw.choices(ratios, k=len(ratios))) for _ in range(1000))
    return medians[25], medians[975]


class Took:
    """Milliseconds of each thing, by side, of turns beside each other."""

    def __init__(self) -> None:
        self.of = {what: {side: list[tuple[float, float]]() for side in SIDES} for what in MEASURED}

    def ratios(self, what: str, way: str) -> list[float]:
        """Return those of pairs of turns."""
        place, sides = WAYS.index(way), self.of[what]
        pairs = zip(sides["without"], sides["with"], strict=False)
        return [b[place] / a[place] for a, b in pairs]

    @property
    def narrow(self) -> bool:
        """Whether it is known well enough what the processor has to do."""
        for what in MEASURED:
            ratios = self.ratios(what, "processor")
            if len(ratios) < LEAST:
                return False
            low, high = interval(ratios)
            if high - low > 2 * NARROW:
                return False
        return True

    def told(self, store: str) -> None:
        """Print it."""
        for what, sides in self.of.items():
            for place, way in enumerate(WAYS):
                without, with_ = (median(one[place] for one in sides[side]) for side in SIDES)
                ratios = self.ratios(what, way)
                low, high = interval(ratios)
                print(
                    f"{store:>10} {what:>7} {way:>9}: {without:7.3f} ms without, {with_:7.3f} with;"
                    f" ratio {median(ratios):.3f} ({low:.3f} to {high:.3f}), {len(ratios)} pairs"
                )


async def measure(url: str, folder: Path, minutes: float, files: int) -> Took:
    """Measure in turns on a store."""
    took = Took()
    settings = Settings(home=folder, min_free_bytes=0, poll_seconds=0.1, store_url=url)
    async with await App.open(settings, CHAINED) as app:
        worker = await app.worker()
        working = asyncio.create_task(worker.run())
        until, number = time.monotonic() + 60 * minutes, 0
        while number < 4 or number % 2 or time.monotonic() < until:
            side = SIDES[(number + number // 2) % 2]  # each is first as often
            with counting(side):
                taken = await turn(app, number, files)
            if number > 1:  # the first of each warm up
                for what, one in taken.items():
                    took.of[what][side].append(one)
            if number % 20 == 1 and took.narrow:
                break
            number += 1
        worker.stop()
        await working
    return took


async def main(stores: Sequence[str], minutes: float, files: int) -> None:
    """Measure on each store, and print."""
    configure_logging("json", "error")
    for store in stores:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            url = f"sqlite:///{folder}/mediamill.db"
            if store == "postgresql":
                server = stack.enter_context(postgres_server(durable=True))
                url = server.prepared("figures")
                told = (server.folder / "data" / "postmaster.pid").read_text()
                MEASURED_PROCESSES.add(int(told.split()[0]))
            (await measure(url, Path(folder), minutes, files)).told(store)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--stores", default="sqlite,postgresql")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--files", type=int, default=40)
    given = parser.parse_args()
    asyncio.run(main(given.stores.split(","), given.minutes, given.files))
