"""Retention: files of 100 KB with a result each, all due at once: until nothing is left.

    .venv/bin/python benchmarks/retention.py [--files 1000] [--per-job 32]

On SQLite and a folder, by one worker in a process of its own. Every file has a result, and shares
its job with others; each job has one input that stays, so that its download is made anew.
Printed: seconds from the sweep until the last file is hidden, and until the last is purged.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from common import clock, free_port, guest, process
from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.settings import Settings
from mediamill.handlers.removing.retain import Retain
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.port import Update
from mediamill.store.repositories.files import File

ANN = Principal("user_ann")
SIZE = 100_000


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Yield some bytes."""
    yield data


async def prepare(app: App, files: int, per_job: int) -> list[str]:
    """Take files in and have jobs run over them; return those that are to go."""
    due: list[str] = []
    kept = (await app.uploads.receive(ANN, "kept.bin", once(os.urandom(SIZE)), None)).id
    for n in range(files):
        one = await app.uploads.receive(ANN, f"{n}.bin", once(os.urandom(SIZE)), None)
        due.append(one.id)
    jobs = []
    for start in range(0, files, per_job):
        chosen = (*due[start : start + per_job], kept)
        steps = (("emit", {"size": SIZE}),)
        jobs.append(await app.jobs.submit(ANN, JobRequest(files=chosen, steps=steps)))
    for job in jobs:
        await app.jobs.wait(ANN, job.id, 600)
    for file in due:
        old = {"created": await app.store.now() - 8 * DAY, "source": "stream"}
        await app.store.transact(Update(File, (file,), set=old))
    return due


async def measure(files: int, per_job: int) -> None:
    """Print how long the purge of all takes."""
    with tempfile.TemporaryDirectory(prefix="retention-") as folder:
        home = Path(folder) / "home"
        packages = guest(Path(folder) / "guest")
        sys.path.insert(0, str(packages))
        settings = Settings(home=home, min_free_bytes=0, log_level="error")
        async with await App.open(settings) as app:
            with process("worker", home, free_port(), packages, min_free_bytes=0):
                due = await prepare(app, files, per_job)
                with clock() as whole:
                    with clock() as hiding:
                        await Retain(app.repositories.units, app.retention, app.bell).sweep()
                    await gone(app, due)
        print(f"{files} files: hidden in {hiding[0]:.1f} s, purged in {whole[0]:.1f} s")


async def gone(app: App, files: list[str]) -> None:
    """Wait until the last of some files is purged; at most ten minutes."""
    for _ in range(6000):
        if not any(await app.repositories.files.get_many(files)):
            return
        await asyncio.sleep(0.1)
    raise SystemExit("they are not purged")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--per-job", type=int, default=32)
    given = parser.parse_args()
    asyncio.run(measure(given.files, given.per_job))


if __name__ == "__main__":
    main()
