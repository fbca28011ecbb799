"""Downloads of a job: a zip of 1,000 pictures and one of a 2 GB result, beside `cat`.

    .venv/bin/python benchmarks/download.py [--rounds 3]

Ours is the real service over loopback, curl writing to nowhere. The yardstick reads the same blobs
with `cat` and hands them to a reader of the same kind through a pipe. Runs alternate; printed are
medians, and the ratio of rates, ours / cat, last: above 1 is faster.
"""

import argparse
import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

from common import client, clock, ended, free_port, guest, median, process, resident, seed

CASES = {"1,000 pictures of 200 kB": (1000, 200_000), "one result of 2 GB": (1, 2 << 30)}


async def measure(folder: Path, rounds: int) -> None:
    """Make each job, then read its download both ways in turns."""
    token, files = await seed(folder / "home", 1)
    port, packages = free_port(), guest(folder / "guest")
    with process("up", folder / "home", port, packages) as service:
        async with client(port, token) as web:
            for name, (count, size) in CASES.items():
                step = {"operation": "emit", "parameters": {"count": count, "size": size}}
                answer = await web.post("/v1/jobs", json={"files": files, "steps": [step]})
                job = (await ended(web, answer.json()["id"]))["id"]
                blobs = [p for p in (folder / "home").rglob("*") if p.is_file() and job in str(p)]
                blobs = [p for p in blobs if p.stat().st_size >= min(size, 100_000)]
                before = resident(service.pid)
                mine, theirs = await asyncio.to_thread(
                    in_turns,
                    f"http://127.0.0.1:{port}/v1/jobs/{job}/download",
                    token,
                    blobs,
                    rounds,
                )
                total = count * size / 1e6
                print(f"{name:26} ours {total / mine:6.0f} MB/s   cat {total / theirs:6.0f} MB/s   "
                      f"memory {resident(service.pid) - before:+.0f} MB   "
                      f"ratio {theirs / mine:.2f}", flush=True)  # fmt: skip


def in_turns(url: str, token: str, blobs: list[Path], rounds: int) -> tuple[float, float]:
    """Return the median seconds of ours and of the yardstick."""
    mine, theirs = [], []
    head = f"Authorization: Bearer {token}"
    for _ in range(rounds):
        with clock() as seconds:
            told = subprocess.run(
                ["curl", "-sSf", "-H", head, "-o", "/dev/null", "-w", "%{size_download}", url],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
        assert int(told.stdout) > sum(blob.stat().st_size for blob in blobs)
        mine.append(seconds[0])
        with clock() as seconds:
            subprocess.run(
                "xargs -0 cat | cat > /dev/null", shell=True, check=True,
                input=b"\0".join(str(blob).encode() for blob in blobs),
            )  # fmt: skip
        theirs.append(seconds[0])
    return median(mine), median(theirs)


def main() -> None:
    """Measure in a folder on the disk of the working directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix="bench-"))
    try:
        asyncio.run(measure(folder, options.rounds))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
