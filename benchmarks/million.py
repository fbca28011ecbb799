"""A job of a million items: time to accept, time per item against a job of 1,000, memory.

    .venv/bin/python benchmarks/million.py [--items 1000000]

The real service on SQLite in one process, two slots, a no-op operation. The million come from a
manifest that names 1,000 files again and again. Printed last: seconds per item of the million over
seconds per item of a thousand; the aim is at most 1.2.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from common import client, clock, ended, free_port, guest, median, process, resident, seed

STEPS = [{"operation": "noop", "parameters": {}}]


async def measure(folder: Path, items: int) -> None:
    """Run some jobs of a thousand, then the large one."""
    token, files = await seed(folder / "home", 1000)
    port, packages = free_port(), guest(folder / "guest")
    with process("up", folder / "home", port, packages, slots=2) as service:
        async with client(port, token) as web:
            small = median([await timed(web, {"files": files}) for _ in range(7)][2:])
            lines = "\n".join(files[n % 1000] for n in range(items))
            sent = await web.post("/v1/files?name=inputs.txt", content=lines)
            sent.raise_for_status()
            most = [resident(service.pid)]
            watch = asyncio.create_task(watched(service.pid, most))
            with clock() as accepting:
                job = await submitted(web, {"manifest": sent.json()["id"]})
            with clock() as running:
                told = await ended(web, job)
            watch.cancel()
            assert told["state"] == "succeeded", told
    seconds = accepting[0] + running[0]
    print(f"accepted in {1000 * accepting[0]:.0f} ms, done in {seconds:.0f} s: "
          f"{items / seconds:,.0f} items/s; a thousand at {1000 / small:,.0f}/s")  # fmt: skip
    print(f"memory {most[0]:.0f} MB, at most {max(most) - most[0]:+.0f} MB")
    print(f"per item, million / thousand: ratio {seconds / items / (small / 1000):.2f}")


async def submitted(web, inputs) -> str:
    """Submit a job."""
    answer = await web.post("/v1/jobs", json={**inputs, "steps": STEPS, "reuse": False})
    answer.raise_for_status()
    return answer.json()["id"]


async def timed(web, inputs) -> float:
    """Return the seconds of one job."""
    with clock() as seconds:
        await ended(web, await submitted(web, inputs))
    return seconds[0]


async def watched(pid: int, most: list[float]) -> None:
    """Note the memory of a process, twice a second."""
    while True:
        most.append(resident(pid))
        await asyncio.sleep(0.5)


def main() -> None:
    """Measure in a folder on the disk of the working directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as name:
        asyncio.run(measure(Path(name), options.items))


if __name__ == "__main__":
    main()
