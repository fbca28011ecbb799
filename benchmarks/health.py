"""Health check: ≥ 100 images/s per core at 1 megapixel, decoding included.

    .venv/bin/python benchmarks/health.py [--images 400] [--rounds 3]

The images are pieces of real photographs (`MEDIAMILL_SAMPLES`), or of scenes where there are none.
They go through slots as in a job: measuring on one core and on two, then the reduction of all. In
the same run, on the same core: libjpeg-turbo's decoding alone. Beside images/s by the clock on the
wall are those of a second of processor time, of this process and its slots: the claim goes by
these, which bear others' load. Medians of some rounds.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in a slot
sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' pictures serve here too

import cv2
import msgspec
import numpy as np
import simplejpeg
from PIL import Image
from tests.support.planted import PHOTOS, jpeg, scene

from mediamill.engine.slots import Call, CallItem, SlotLimits, SlotPool, Succeeded
from mediamill.operations.work import Measure
from sides import Speed, used

WIDE, HIGH = 1152, 864
PIECES = 24
STEPS = (("health-check", {}),)


def pieces(folder: Path | None) -> Iterator[bytes]:
    """Yield JPEGs of 1 megapixel."""
    for n in range(PIECES):
        if folder is None:
            yield jpeg(cv2.resize(scene(8, n, []), (WIDE, HIGH)))
            continue
        with Image.open(folder / PHOTOS[n % 3]) as image:
            pixels = np.array(image.convert("RGB"))
        draw = np.random.default_rng(n)
        top, left = (int(draw.integers(most)) for most in np.array(pixels.shape[:2]) - (HIGH, WIDE))
        yield jpeg(pixels[top : top + HIGH, left : left + WIDE])


async def measured(pool: SlotPool, paths: list[Path]) -> list[Measure]:
    """Measure files in one slot."""
    items = tuple(
        CallItem(n, os.open(path, os.O_RDONLY), path.name, "image/jpeg", path.stat().st_size)
        for n, path in enumerate(paths)
    )
    found = []
    async with pool.acquire() as slot:
        async for event in slot.run(Call(STEPS, items, kind="measure")):
            if isinstance(event, Succeeded):
                images = tuple((event.outcome.data or {})["images"])
                name, size = paths[event.index].name, items[event.index].size
                found.append(
                    Measure(event.index, name, name, media_type="image/jpeg", size=size,
                            images=images)
                )  # fmt: skip
    for item in items:
        os.close(item.descriptor)
    return found


async def reduced(pool: SlotPool, measures: list[Measure], folder: Path) -> None:
    """Reduce measures in one slot; raises unless it succeeds."""
    path = folder / "measures"
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in measures))
    item = CallItem(0, os.open(path, os.O_RDONLY), path.name, "application/x-ndjson",
                    path.stat().st_size)  # fmt: skip
    async with pool.acquire() as slot:
        events = [event async for event in slot.run(Call(STEPS, (item,), kind="reduce"))]
    os.close(item.descriptor)
    if not any(isinstance(event, Succeeded) for event in events):
        raise RuntimeError(str(events[-1]))


def decoding(data: list[bytes], count: int) -> None:
    """Decode images and do nothing else."""
    for n in range(count):
        simplejpeg.decode_jpeg(data[n % len(data)], colorspace="RGB")


@contextmanager
def speed(count: int, found: list[Speed]) -> Iterator[None]:
    """Add how many images a second the block did, by the wall and by processor time."""
    began, before = time.perf_counter(), used(os.getpid())
    yield
    found.append(
        (count / (time.perf_counter() - began), count / (used(os.getpid()) - before))
    )  # fmt: skip


async def run(count: int, rounds: int, folder: Path) -> bool:
    samples = os.environ.get("MEDIAMILL_SAMPLES")
    data = list(pieces(Path(samples) if samples else None))
    paths = []
    for n in range(count):
        paths.append(folder / f"{n:05d}.jpg")
        paths[-1].write_bytes(data[n % len(data)])
    scratch = folder / "scratch"
    scratch.mkdir()
    pool = SlotPool(2, SlotLimits(), scratch=scratch, catalogue="mediamill.operations:build")
    alone, single, both, last = list[Speed](), list[Speed](), list[Speed](), list[Speed]()
    try:
        await asyncio.gather(measured(pool, paths[:8]), measured(pool, paths[:8]))
        for _ in range(rounds):
            with speed(count, alone):
                decoding(data, count)
            with speed(count, single):
                one = await measured(pool, paths)
            with speed(2 * count, both):
                await asyncio.gather(measured(pool, paths), measured(pool, paths))
            with speed(count, last):
                await reduced(pool, one, folder)
    finally:
        await pool.close()
    print(f"{count} JPEGs of {WIDE} × {HIGH}, {sum(map(len, data)) // len(data) // 1000} kB each")
    print(f"{'images/s, medians of ' + str(rounds):28} {'wall':>8} {'of processor time':>18}")
    for name, speeds in (
        ("measured on one core", single), ("measured on two cores", both),
        ("decoding alone, one core", alone), ("reduced", last),
    ):  # fmt: skip
        wall, processor = (median(column) for column in zip(*speeds, strict=True))
        print(f"{name:28} {wall:8.1f} {processor:18.1f}")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(f"largest slot: {most:.0f} MB")
    return all(median(rate for _, rate in speeds) >= 100 for speeds in (single, both))


def main() -> int:
    """Print the figures; 1 where a second of a core measures fewer than 100 images."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mediamill-health-") as folder:
        return int(not asyncio.run(run(options.images, options.rounds, Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
