"""Two hundred clients for a minute: they list, upload, submit jobs and watch them end.

    .venv/bin/python benchmarks/clients.py [--clients 200] [--seconds 60]

The real service in one process, loopback. A client does one thing a second: lists files or jobs
(60 %), uploads 10 kB (25 %), or submits a job and follows its events to the end (15 %). Printed are
counts, errors, latencies by kind, and the growth of the service's memory after a minute of warm-up.
The clients run on the same cores and are part of the latency.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import uvloop

from common import Caller, client, free_port, guest, percentile, process, resident, seed


class Load:
    """What all clients saw."""

    def __init__(self, port: int, token: str, files: list[str]) -> None:
        self.port, self.token, self.files = port, token, files
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    async def run(self, until: float, number: int) -> None:
        """Be one client until a time."""
        caller, draw = Caller(self.port, self.token), random.Random(number)
        await asyncio.sleep(draw.random())
        while time.monotonic() < until:
            start = time.monotonic()
            kind = draw.choices(("list files", "list jobs", "upload", "job"), (30, 30, 25, 15))[0]
            try:
                await self._do(caller, kind, draw)
                self.seconds[kind].append(time.monotonic() - start)
            except Exception as error:
                self.errors.append(f"{kind}: {error!r}")
                caller.close()
                caller = Caller(self.port, self.token)
            await asyncio.sleep(max(0.0, start + 1 - time.monotonic()))
        caller.close()

    async def _do(self, caller: Caller, kind: str, draw: random.Random) -> None:
        if kind == "upload":
            await self._good(caller, "POST", "/v1/files?name=a.bin", os.urandom(5000) + bytes(5000))
        elif kind == "job":
            step = {"operation": "noop", "parameters": {}}
            body = {"files": [draw.choice(self.files)], "steps": [step], "reuse": False}
            told = json.loads(
                await self._good(
                    caller, "POST", "/v1/jobs", json.dumps(body).encode(), "application/json"
                )
            )
            events = await self._good(caller, "GET", f"/v1/jobs/{told['id']}/events")
            if b'"state":"succeeded"' not in events:
                raise ValueError(events[-300:])
        else:
            await self._good(caller, "GET", f"/v1/{kind.removeprefix('list ')}?limit=20")

    async def _good(self, caller: Caller, *request: object) -> bytes:
        status, body = await caller.ask(*request)  # type: ignore[arg-type]
        if not 200 <= status < 300:
            raise ValueError(f"{status} {body[:200]!r}")
        return body


async def measure(folder: Path, clients: int, seconds: float) -> None:
    """Warm up, measure, print."""
    token, files = await seed(folder / "home", 100)
    port, packages = free_port(), guest(folder / "guest")
    with process("up", folder / "home", port, packages) as service:
        async with client(port, token):
            warm = Load(port, token, files)
            await spread(warm, clients, seconds)
            before = resident(service.pid)
            load = Load(port, token, files)
            await spread(load, clients, seconds)
            growth = resident(service.pid) - before
    total = sum(map(len, load.seconds.values()))
    errors = warm.errors + load.errors
    print(f"{clients} clients, {seconds:g} s: {total} requests and jobs, {len(errors)} errors, "
          f"memory {before:.0f} MB {growth:+.1f} MB")  # fmt: skip
    for kind, taken in sorted(load.seconds.items()):
        print(f"{kind:12} {len(taken):6}   p50 {1000 * percentile(taken, 0.5):6.1f} ms   "
              f"p99 {1000 * percentile(taken, 0.99):6.1f} ms")  # fmt: skip
    for line in errors[:5]:
        print("error", line)


async def spread(load: Load, clients: int, seconds: float) -> None:
    """Run the clients beside each other."""
    until = time.monotonic() + seconds
    await asyncio.gather(*(load.run(until, number) for number in range(clients)))


def main() -> None:
    """Measure in a folder on the disk of the working directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as name:
        uvloop.run(measure(Path(name), options.clients, options.seconds))


if __name__ == "__main__":
    main()
