"""A job of a million items: time to accept, time per item against jobs of 1,000, memory.

    .venv/bin/python benchmarks/million.py [--items 1000000]

The real service on SQLite in one process, two slots, a no-op operation. The million come from a
manifest that names 1,000 files again and again. Jobs of a thousand run before and after it, from a
manifest too and from a list of ids in the request, which needs no listing; their medians count.
Printed last: seconds per item, the million's over a thousand's, of wall time and of the
service's own CPU time (the busier the machine, the more the second is to be believed); the aim is
at most 1.2. Memory is told at shares of the job, the end being when it is sealed: what a process
fills once and keeps (SQLite's pages, the allocator's arenas) it has at a tenth.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import client, clock, ended, free_port, guest, median, process, resident, seed

STEPS = [{"operation": "noop", "parameters": {}}]
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
ROUNDS = 7


async def measure(folder: Path, items: int) -> None:
    """Run some jobs of a thousand, the large one, and some of a thousand again."""
    token, files = await seed(folder / "home", 1000)
    port, packages = free_port(), guest(folder / "guest")
    with process("up", folder / "home", port, packages, slots=2) as service:
        async with client(port, token) as web:
            ways = {"list": {"files": files}, "manifest": await manifest(web, files, 1000)}
            before = {way: await thousands(web, ways[way], service.pid) for way in ways}
            inputs = await manifest(web, files, items)
            with processor(service.pid) as worked, clock() as running:
                with clock() as accepting:
                    job = await submitted(web, inputs)
                memory = asyncio.create_task(watched(web, job, service.pid))
                told = await ended(web, job)
            assert told["state"] == "succeeded", told
            marks, most = await memory
            after = {way: await thousands(web, ways[way], service.pid) for way in ways}
    print(f"accepted in {1000 * accepting[0]:.0f} ms, done in {running[0]:.0f} s: "
          f"{items / running[0]:,.0f} items/s")  # fmt: skip
    print(
        "memory, MB  ", *(f"{share:.0%} {marks[share]:.0f} " for share in SHARES if share in marks)
    )
    print(f"from a tenth to the most {most - marks[0.1]:+.1f} MB")
    for way in ways:
        found = zip(*before[way][2:], *after[way], strict=True)
        wall, cpu = (median(each) / 1000 for each in found)
        ratios = f"CPU {worked[0] / items / cpu:.2f}, ratio {running[0] / items / wall:.2f}"
        print(f"a thousand from a {way}: {1 / wall:,.0f} items/s; million / thousand: {ratios}")


async def manifest(web, files: list[str], items: int) -> dict[str, str]:
    """Upload a manifest of so many lines; return it as a job's inputs."""
    lines = "\n".join(files[n % len(files)] for n in range(items))
    sent = await web.post("/v1/files?name=inputs.txt", content=lines)
    sent.raise_for_status()
    return {"manifest": sent.json()["id"]}


async def thousands(web, inputs, pid: int) -> list[tuple[float, float]]:
    """Return the seconds, of wall time and of the service's CPU, of some jobs of a thousand."""
    return [await timed(web, inputs, pid) for _ in range(ROUNDS)]


async def submitted(web, inputs) -> str:
    """Submit a job."""
    answer = await web.post("/v1/jobs", json={**inputs, "steps": STEPS, "reuse": False})
    answer.raise_for_status()
    return answer.json()["id"]


async def timed(web, inputs, pid: int) -> tuple[float, float]:
    """Return the seconds of one job, and the CPU seconds that the service took for it."""
    with processor(pid) as worked, clock() as seconds:
        await ended(web, await submitted(web, inputs))
    return seconds[0], worked[0]


async def watched(web, job: str, pid: int) -> tuple[dict[float, float], float]:
    """Note a process's memory at each share of a job until its end, and the most of it."""
    marks, most, share = dict[float, float](), 0.0, 0.0
    began = time.monotonic()
    while share < 1.0:
        answer = (await web.get(f"/v1/jobs/{job}")).json()
        ended = answer["finished_at"] is not None
        share = 1.0 if ended else min(answer["progress"]["fraction"], 0.999)
        most = max(most, resident(pid))
        for passed in SHARES:
            if share >= passed:
                marks.setdefault(passed, resident(pid))
        await asyncio.sleep(min(2.0, 0.2 + (time.monotonic() - began) / 10))
    return marks, most


@contextmanager
def processor(pid: int) -> Iterator[list[float]]:
    """Count the CPU seconds of a process in the block, in the list's first place."""
    taken = [0.0]
    start = used(pid)
    yield taken
    taken[0] = used(pid) - start


def used(pid: int) -> float:
    """Return the CPU seconds of a process so far, user and system, its children left out."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure in a folder on the disk of the working directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as name:
        asyncio.run(measure(Path(name), options.items))


if __name__ == "__main__":
    main()
