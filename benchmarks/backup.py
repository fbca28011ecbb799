"""How long a backup and a restore of an installation take, beside plain tools.

    .venv/bin/python benchmarks/backup.py [--files 10000] [--size 100000] [--rounds 1]

An installation of so many files on SQLite and a folder; `mediamill backup`, the next one after one
file in a hundred was added, `verify`, and `restore` into an empty home, each a process of its own.
Beside them what plain tools take, which compare nothing and are no snapshot: `cp -a` and `tar`
with a `sync`, `cp -a` with the SHA-256 of both sides, and `cp -au` of what is new. Seconds of wall
time and of processor time.
"""

import argparse
import asyncio
import hashlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import median
from mediamill.app import App
from mediamill.core.backups import noted_backup
from mediamill.core.ids import new_id
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.store.port import Put
from mediamill.store.repositories.files import File, FileState

TOGETHER = 90
"""Files of one transaction."""


async def add(home: Path, files: int, size: int, seed: int) -> None:
    """Add files with their bytes to an installation, by its store and its place for bytes."""
    source = random.Random(seed)  # the same each time
    async with await App.open(Settings(home=home, log_level="error", min_free_bytes=0)) as app:
        now = await app.store.now()
        for start in range(0, files, TOGETHER):
            rows, objects = [], []
            for _ in range(start, min(files, start + TOGETHER)):
                id_, data = new_id("file"), source.randbytes(size)
                objects.append((f"files/{id_}", data))
                rows.append(
                    File(
                        id=id_, owner="user_ann", listed="user_ann", name=f"{id_}.bin",
                        media_type="application/octet-stream", size=size,
                        sha256=hashlib.sha256(data).hexdigest(), crc32=0, blob=f"files/{id_}",
                        thumbnail="", created=now, state=FileState.READY,
                    )
                )  # fmt: skip
            await app.blobs.put_all(objects)  # type: ignore[attr-defined]
            await app.store.transact(*(Put(row) for row in rows))


Taken = tuple[float, float]
"""Seconds of wall time, of processor time."""


def timed(*command: str) -> Taken:
    """Run a command; what it takes, children and all."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "MEDIAMILL_MIN_FREE_BYTES": "0"},
    )  # fmt: skip
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(*arguments: str) -> Taken:
    return timed(sys.executable, "-m", "mediamill", *arguments)


def shell(script: str) -> Taken:
    return timed("sh", "-eu", "-c", script)


def measure(folder: Path, files: int, size: int) -> dict[str, Taken]:
    """Take each measure once."""
    home, place, new = folder / "home", folder / "backups", folder / "new"
    plain, piped, summed = folder / "plain", folder / "piped", folder / "summed"
    asyncio.run(add(home, files, size, 1))
    found: dict[str, Taken] = {}
    subprocess.run(["sync"], check=True)
    found["backup, the first"] = ours("backup", str(place), "--home", str(home))
    found["cp -a; sync"] = shell(f"cp -a {home} {plain}; sync -f {plain}")
    piping = f"mkdir {piped}; tar -C {home} -cf - . | tar -C {piped} -xf -; sync -f {piped}"
    found["tar | tar; sync"] = shell(piping)
    sums = (
        f"cp -a {home} {summed}; sync -f {summed}; sums() {{ find $1 -type f | xargs sha256sum; }}"
    )
    found["cp -a; sync; sha256sum of both"] = shell(f"{sums}; sums {home}; sums {summed}")
    asyncio.run(add(home, max(1, files // 100), size, 2))
    found["backup, 1 % new"] = ours("backup", str(place), "--home", str(home))
    noted = noted_backup(home)
    assert noted is not None
    print(f"  of it new: {noted.fresh / 1e6:.1f} of {noted.size / 1e6:.1f} MB")
    found["cp -au; sync, 1 % new"] = shell(f"cp -au {home}/. {plain}; sync -f {plain}")
    found["verify"] = ours("backup", "verify", str(place))
    found["restore"] = ours("restore", str(place), "--home", str(new))
    found["sha256sum of the home"] = shell(f"find {home} -type f | xargs sha256sum")
    for path in (place, new, plain, piped, summed, home):
        shutil.rmtree(path)
    return found


def main() -> None:
    """Print the median of each measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    configure_logging("text", "error")
    rounds = []
    for n in range(given.rounds):
        load = os.getloadavg()[0]
        print(f"round {n + 1}, load {load:.1f}: {given.files:,} files of {given.size:,} bytes")
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(measure(Path(folder), given.files, given.size))
    for name in rounds[0]:
        wall, used = (median([one[name][at] for one in rounds]) for at in (0, 1))
        print(f"{name:<34} {wall:8.1f} s {used:8.1f} s CPU")


if __name__ == "__main__":
    main()
