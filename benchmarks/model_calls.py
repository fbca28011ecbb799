"""Captions by a provider that takes half a second: answers a second beside what it could give.

    .venv/bin/python benchmarks/model_calls.py [--images 2000] [--concurrency 64] [--delay 0.5]

The real service (`mediamill up`: SQLite, a folder, fsync) over HTTP; the images, of 1 megapixel,
come as one zip, pieces of MEDIAMILL_SAMPLES. The provider is `echo:`, which answers each call
after `--delay`: at so many calls at a time it gives at most concurrency / delay answers a second.
Each call is kept in the ledger before it is made and when it is answered, and paid from a budget.

Printed are answers/s, as the ledger has them, and their share of what the provider could give: from
the first call to the last answer, and in the middle eight tenths, without the way there and back;
processor time; and the resident memory of the service at a tenth of the job and at its end: it is
flat where these are the same.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from common import client, free_port, process, seed
from dataset import pack, resident, used

SIZE = (1e6, 1e6)
"""Pixels of the images."""


def main() -> None:
    """Run one job and print what came."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".", prefix="dataset-") as folder:
        source = Path(folder) / "images.zip"
        pack(source, options.images, SIZE)
        asyncio.run(run(Path(folder), source, options))


async def run(folder: Path, source: Path, options: argparse.Namespace) -> None:
    """Have images captioned by the service; print how fast that went."""
    from mediamill.app import App
    from mediamill.core.settings import Settings

    token, _ = await seed(folder / "home", 0)
    port, chain = free_port(), folder / "providers.toml"
    chain.write_text(
        '[chains]\ncaption = ["slow"]\n[providers.slow]\n'
        f'address = "echo:slow?delay={options.delay}"\nconcurrency = {options.concurrency}\n'
        "price = {call = 0.0001}\n"
    )
    more = {"providers": chain, "calls_in_flight": 2 * options.concurrency, "budget": 1000}
    with process("up", folder / "home", port, **more) as service:
        async with client(port, token) as web:
            sent = await web.post("/v1/files?name=images.zip", content=_chunks(source))
            sent.raise_for_status()
            before, memory = used(service.pid), list[float]()
            steps = [{"operation": "caption", "parameters": {}}]
            body = {"archive": sent.json()["id"], "steps": steps}
            made = await web.post("/v1/jobs", json=body)
            made.raise_for_status()
            here = f"/v1/jobs/{made.json()['id']}"
            while (job := (await web.get(here)).json())["state"] not in ENDS:
                memory.append(resident(service.pid))
                await asyncio.sleep(0.25)
            spent = used(service.pid) - before
    assert job["state"] == "succeeded", job
    async with await App.open(Settings(home=folder / "home", log_level="error")) as app:
        rows = [row async for row in app.repositories.attempts.walk_job(job["id"])]
    seconds = (max(row.ended or 0 for row in rows) - min(row.began for row in rows)) / 1000
    rate, most = len(rows) / seconds, options.concurrency / options.delay
    ended = sorted(row.ended or 0 for row in rows)
    first, last = len(ended) // 10, len(ended) * 9 // 10
    middle = (last - first) / (ended[last] - ended[first]) * 1000
    tenth = max(1, len(memory) // 10)
    print(f"{options.images} images, {options.concurrency} calls at a time, {options.delay} s each")
    print(f"  answers   {rate:6.1f}/s of {most:.1f}: {rate / most:.3f}; {seconds:.1f} s")
    print(f"  middle    {middle:6.1f}/s of {most:.1f}: {middle / most:.3f}")
    print(f"  CPU       {1000 * spent / len(rows):6.1f} ms an answer, preparing included")
    print(f"  memory    {memory[tenth]:6.0f} MB at a tenth, {memory[-1]:.0f} at the end,"
          f" {max(memory):.0f} at most")  # fmt: skip


ENDS = {"succeeded", "failed", "partial", "cancelled"}


async def _chunks(path: Path):
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


if __name__ == "__main__":
    main()
