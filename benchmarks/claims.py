"""Claims per second of 1, 2, 4 and 8 worker processes on each store, beside procrastinate.

    .venv/bin/python benchmarks/claims.py [--units 2000] [--rounds 3] [--procrastinate PYTHON]

Ten owners have bulk units that do nothing; every process claims one, finishes it, and claims the
next, as a worker's runner does, until none is left: two durable transactions for each unit, timed
from the start of all to the last finish. procrastinate, a job queue on PostgreSQL, runs as many
jobs that do nothing with workers of one job at a time, on the same server and in turns with ours.
PostgreSQL runs with its own durability, `fsync` on; DynamoDB is DynamoDB Local in memory, which
tells what the protocol takes here and nothing about AWS. Printed are medians; last ours over
theirs: above 1 is faster. Needs PostgreSQL, for DynamoDB Java and Maven, and for the comparison
a Python that has procrastinate (`--procrastinate`, default: this one).
"""

import argparse
import asyncio
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

from common import dynamodb_server, median, postgres_server
from mediamill.core.ids import new_id
from mediamill.engine.scheduler import Scheduler
from mediamill.store.opening import open_store
from mediamill.store.repositories.units import Unit, Units

WORKERS = (1, 2, 4, 8)
OWNERS = 10
LEASE_MS = 600_000
TOGETHER = 50

JOBS = """
import asyncio, logging, sys
from procrastinate import App, PsycopgConnector

logging.disable(logging.CRITICAL)
app = App(connector=PsycopgConnector(conninfo=sys.argv[1], min_size=1, max_size=3))


@app.task(name="noop")
async def noop():
    pass


async def main():
    async with app.open_async():
        if sys.argv[2] == "schema":
            await app.schema_manager.apply_schema_async()
        elif sys.argv[2] == "defer":
            await noop.configure().batch_defer_async(*({} for _ in range(int(sys.argv[3]))))
        else:
            sys.stdin.readline()
            await app.run_worker_async(
                wait=False, concurrency=1, listen_notify=False, delete_jobs="never",
                install_signal_handlers=False,
            )
            print("done", flush=True)
asyncio.run(main())
"""


async def inserted(url: str, units: int) -> None:
    """Insert ready units of all owners."""
    store = await open_store(url)
    try:
        repository, now = Units(store), await store.now()
        for owner in range(OWNERS):
            group = new_id("job")
            waiting = [_unit(group, seq, f"user_{owner}", now) for seq in range(units // OWNERS)]
            for start in range(0, len(waiting), TOGETHER):
                await repository.insert(waiting[start : start + TOGETHER])
    finally:
        await store.close()


def _unit(group: str, seq: int, owner: str, now: int) -> Unit:
    unit = Unit(
        group=group, seq=seq, kind="items", owner=owner, klass="bulk", payload={"items": [seq]},
        created=now,
    )  # fmt: skip
    return unit.opened(now)


async def drained(url: str, ready: Callable[[], Awaitable[None]]) -> int:
    """Claim and finish until nothing is left; return how many."""
    store = await open_store(url)
    try:
        scheduler, units, done = Scheduler(store, LEASE_MS), Units(store), 0
        await store.now()
        await ready()
        while (unit := await scheduler.claim_next(("bulk",), "benchmark")) is not None:
            await units.finish(unit)
            done += 1
        return done
    finally:
        await store.close()


def work(url: str, barrier: Barrier, counts: "multiprocessing.Queue[int]") -> None:
    """Be one worker process."""
    counts.put(asyncio.run(drained(url, lambda: asyncio.to_thread(barrier.wait))))


def ours(url: str, workers: int, units: int) -> float:
    """Return units per second."""
    asyncio.run(inserted(url, units))
    spawning = multiprocessing.get_context("spawn")
    barrier, counts = spawning.Barrier(workers + 1), spawning.Queue()
    processes = [spawning.Process(target=work, args=(url, barrier, counts)) for _ in range(workers)]
    for process in processes:
        process.start()
    barrier.wait()
    start = time.perf_counter()
    found = [counts.get() for _ in processes]
    taken = time.perf_counter() - start
    for process in processes:
        process.join()
    assert sum(found) == units, found
    return units / taken


def theirs(url: str, workers: int, jobs: int, python: str, script: Path) -> float:
    """Return jobs per second of procrastinate."""
    command = [python, str(script), url]
    subprocess.run([*command, "defer", str(jobs)], check=True)
    running = [
        subprocess.Popen([*command, "work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(workers)
    ]
    time.sleep(2)  # until all have imported and connected
    start = time.perf_counter()
    for process in running:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in running:
        process.stdout.readline()
    taken = time.perf_counter() - start
    for process in running:
        process.communicate()
    return jobs / taken


@contextmanager
def places(kind: str, folder: Path) -> Iterator[Callable[[int], str]]:
    """Run a server of a kind; give a function that names its n-th empty store."""
    if kind == "sqlite":
        yield lambda n: f"sqlite://{folder}/claims-{n}.db"
    elif kind == "postgresql":
        with postgres_server(durable=True) as server:
            yield lambda n: server.database(f"claims{n}")
    else:
        with dynamodb_server("local", folder) as endpoint:
            yield lambda n: f"dynamodb://claims{n}?region=us-east-1&endpoint={endpoint}"


def measure(kind: str, options: argparse.Namespace, folder: Path) -> None:
    """Measure a store with each number of workers and print a line each."""
    units = options.units if kind != "dynamodb" else options.units // 10
    script = folder / "jobs.py"
    script.write_text(JOBS)
    compare = kind == "postgresql" and can_compare(options.procrastinate)
    with places(kind, folder) as place:
        number = 0
        for workers in WORKERS:
            mine, others = [], []
            for _ in range(options.rounds):
                number += 1
                mine.append(ours(place(number), workers, units))
                if compare:
                    url = place(1000 + number)
                    subprocess.run([options.procrastinate, str(script), url, "schema"], check=True)
                    others.append(theirs(url, workers, units, options.procrastinate, script))
            line = f"{kind:<11} {workers} workers  {median(mine):8,.0f} units/s"
            if others:
                ratio = median(mine) / median(others)
                line += f"  procrastinate {median(others):6,.0f}  ratio {ratio:.2f}"
            print(line, flush=True)


def can_compare(python: str) -> bool:
    """Tell whether a Python has procrastinate; says so where it has not."""
    found = subprocess.run(
        [python, "-c", "import procrastinate"], stderr=subprocess.DEVNULL, check=False
    )
    if found.returncode:
        print(f"procrastinate is not installed for {python}: ours alone")
    return not found.returncode


def main() -> None:
    """Measure each store in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=2000, help="a tenth of them on DynamoDB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--procrastinate", default=sys.executable)
    parser.add_argument("--stores", default="sqlite,postgresql,dynamodb")
    options = parser.parse_args()
    for kind in options.stores.split(","):
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as name:
            measure(kind, options, Path(name))


if __name__ == "__main__":
    main()
