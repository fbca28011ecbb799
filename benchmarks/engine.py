"""The engine: no-op items beside Celery with Redis, and the round trip of an idle service.

    .venv/bin/python benchmarks/engine.py [--items 10000] [--rounds 3] [--celery PYTHON]

Ours is the real service over HTTP on SQLite (fsync on every commit): one job of N items, timed from
the request to the last result, two slots. Celery runs N no-op tasks on Redis with acks late and
results stored, two worker processes, timed from the first submit to the last result. Runs
alternate; printed are medians, and the ratio ours / Celery last: above 1 is faster.
Needs `redis-server`, and a Python that has celery and redis (`--celery`, default: this one).
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import Caller, client, clock, ended, free_port, guest, median, percentile, process, seed

TASKS = """
import sys
from celery import Celery, group

app = Celery("tasks", broker="redis://127.0.0.1:{port}/0", backend="redis://127.0.0.1:{port}/1")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=4)


@app.task(name="noop")
def noop():
    return {{}}


if __name__ == "__main__":
    import time
    for _ in range(100):
        try:
            noop.delay().get(timeout=1)
            break
        except Exception:
            time.sleep(0.2)
    start = time.perf_counter()
    waiting = [noop.delay() for _ in range(int(sys.argv[1]))]
    for one in waiting:
        one.get(timeout=600)
    print(time.perf_counter() - start)
    trips = []
    for _ in range(200):
        start = time.perf_counter()
        noop.delay().get(timeout=60)
        trips.append(time.perf_counter() - start)
    print(sorted(trips)[100], sorted(trips)[198])
"""


async def ours(folder: Path, items: int, rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each run, and those of 200 round trips when idle."""
    token, files = await seed(folder / "home", items)
    port, packages = free_port(), guest(folder / "guest")
    steps = [{"operation": "noop", "parameters": {}}]
    runs, trips = [], list[float]()
    with process("up", folder / "home", port, packages, slots=2):
        async with client(port, token) as web:
            await once(web, {"files": files[:20], "steps": steps})
            for _ in range(rounds):
                body = {"files": files, "steps": steps, "reuse": False}
                with clock() as taken:
                    await once(web, body)
                runs.append(taken[0])
            await asyncio.sleep(2)
            trips = await round_trips(Caller(port, token), files[:200], steps)
    return runs, trips


async def once(web, body) -> None:
    """Submit a job and wait for its end."""
    answer = await web.post("/v1/jobs", json=body)
    answer.raise_for_status()
    told = await ended(web, answer.json()["id"])
    assert told["state"] == "succeeded", told


async def round_trips(caller: Caller, files: list[str], steps: list[object]) -> list[float]:
    """Return the seconds from the request to the answer that the job has ended, one by one."""
    taken = []
    for file in files:
        body = {"files": [file], "steps": steps, "reuse": False}
        with clock() as seconds:
            _, told = await caller.ask(
                "POST", "/v1/jobs", json.dumps(body).encode(), "application/json"
            )
            job = json.loads(told)["id"]
            _, told = await caller.ask("GET", f"/v1/jobs/{job}?wait=60")
        assert json.loads(told)["state"] == "succeeded", told
        taken.append(seconds[0])
        await asyncio.sleep(0.02)
    caller.close()
    return taken


@contextmanager
def celery(folder: Path, python: str) -> Iterator[list[str]]:
    """Run Redis and a worker of two processes; give the command that measures."""
    port = free_port()
    (folder / "tasks.py").write_text(TASKS.format(port=port))
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
         "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    worker = subprocess.Popen(
        [python, "-m", "celery", "-A", "tasks", "worker", "-c", "2", "-l", "error"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield [python, "tasks.py"]
    finally:
        for child in (worker, redis):
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(20)
            child.kill()


def main() -> None:
    """Run both in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--celery", default=sys.executable)
    options = parser.parse_args()
    mine, trips, theirs, idle = [], [], [], (0.0, 0.0)
    compare = can_compare(options.celery)
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            runs, trips = asyncio.run(ours(Path(name), options.items, 1))
            mine += runs
        if not compare:
            continue
        with tempfile.TemporaryDirectory() as name, celery(Path(name), options.celery) as command:
            told = subprocess.run(
                [*command, str(options.items)], cwd=name, capture_output=True, text=True, check=True
            ).stdout.split()
            theirs.append(float(told[0]))
            idle = (float(told[1]), float(told[2]))
    trips_ms, rate = [1000 * trip for trip in trips], options.items / median(mine)
    print(f"{options.items} no-op items   ours {rate:,.0f}/s; idle round trip "
          f"p50 {median(trips_ms):.1f} ms  p99 {percentile(trips_ms, 0.99):.1f} ms")  # fmt: skip
    if theirs:
        other = options.items / median(theirs)
        print(f"celery {other:,.0f}/s; idle round trip p50 {1000 * idle[0]:.1f} ms  "
              f"p99 {1000 * idle[1]:.1f} ms   ratio {rate / other:.1f}")  # fmt: skip


def can_compare(python: str) -> bool:
    """Tell whether Celery and Redis are here; say what is missing."""
    trial = [python, "-c", "import celery, redis"]
    failed = subprocess.run(trial, check=False, capture_output=True).returncode
    if failed or shutil.which("redis-server") is None:
        print("without Celery: install redis-server, and celery[redis] for --celery PYTHON")
        return False
    return True


if __name__ == "__main__":
    main()
