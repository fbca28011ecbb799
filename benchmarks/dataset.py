"""The whole way of a dataset: zip of images → project → augment × 2 → version → export as zip.

    python -m venv /tmp/yardstick && /tmp/yardstick/bin/pip install albumentations==2.0.8 simplejpeg
    .venv/bin/python benchmarks/dataset.py --albumentations /tmp/yardstick/bin/python
        [--images 10000] [--rounds 1] [--small] [--quarter] [--methods …]

Ours is the real service with its embedded defaults (`mediamill up`: SQLite, a folder, fsync, one
slot per core), over HTTP: upload of the zip, import into a project, a frozen version with `augment`
as its step, download of its export. Beside it, in turns, bare scripts on the same cores: they read
the zip, decode, augment and encode in a process per core, and write a zip; nothing else: no
digests, no rows, no sandbox, nothing made durable. One calls albumentations, as people's scripts
do; the other calls the kernels of our own operation, so that the ratio tells what all the rest of
the service costs. Decoder, encoder, ranges and interpolation are the same; all have the
allocator's settings of our slots. The images are JPEGs of 1 to 2 megapixels, with `--small` of 0.3
to 1, pieces of MEDIAMILL_SAMPLES. Thumbnails, which give way to jobs, may still be drawn when it
has ended: how many were is told.

Printed are images/s (of the images that come in) and seconds of processor time for each, their
ratios (above 1: ours is faster), and where ours spent its time. Of the service and of its largest
slot, the resident memory in the first and in the last tenth of each part, and the largest of all:
it is flat where these are the same. `--quarter` does a quarter of the images first, which must need
no less.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from sides import KEEPING

COPIES, QUALITY, SEED = 2, 85, 7
METHODS = ("horizontal-flip", "rotate", "brightness", "contrast", "saturation")
PIECES = 48
"""Different pictures; each file has a comment of its own, so that all are different files."""
AHEAD = 64
"""Images that the bare script has under way."""
LARGE, SMALL = (1e6, 2e6), (0.3e6, 1e6)
"""Pixels of the images."""
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure both sides in turns, print what came."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--quarter", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--albumentations", help="a Python that has albumentations 2.0.8")
    parser.add_argument("--bare", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        side, methods = options.bare[2], options.bare[3].split(",")
        bare(*map(Path, options.bare[:2]), KERNELS[side], methods)
        return
    scripts = {"our kernels": sys.executable}
    if options.albumentations:
        scripts["albumentations"] = options.albumentations
    with tempfile.TemporaryDirectory(dir=".", prefix="dataset-") as folder:
        sizes = [options.images // 4] * options.quarter + [options.images]
        for images in sizes:
            source = Path(folder) / f"{images}.zip"
            pack(source, images, SMALL if options.small else LARGE)
            compare(source, images, options.rounds, options.methods, scripts)
            source.unlink()


def compare(
    source: Path, images: int, rounds: int, methods: list[str], scripts: dict[str, str]
) -> None:
    """Measure all sides and print; `scripts` are the Pythons of the bare ones."""
    folder, size = source.parent, source.stat().st_size / 1e6
    print(f"{images} images, {size:.0f} MB; {', '.join(methods)}", flush=True)
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in scripts}
    for turn in range(rounds):
        plain = {}
        for side, python in scripts.items():
            plain[side] = run_bare(source, folder / "bare.zip", side, python, methods)
            (folder / "bare.zip").unlink()
        work = folder / f"{images}-{turn}"
        work.mkdir()
        parts = asyncio.run(ours(source, work, methods))
        check(source, work / "export.zip")
        drawn = sum(1 for path in work.rglob("*") if path.parent.name == "thumbnails+")
        shutil.rmtree(work)
        wall = sum(part.seconds for part in parts.values())
        used = sum(part.used for part in parts.values())
        for name, part in parts.items():
            print(f"    {name:10} {part.seconds:7.1f} s {part.used:7.1f} s CPU, of it"
                  f" {part.own:.1f} the service's; {part.memory}")  # fmt: skip
        print(f"  ours       {images / wall:7.1f} images/s {used:7.1f} s CPU; {drawn} thumbnails")
        for side, (seconds, processor) in plain.items():
            print(f"  bare script, {side}: {images / seconds:.1f} images/s, {processor:.1f} s CPU")
            found[side].append((seconds / wall, processor / used))
            print(
                f"  ratio      {found[side][-1][0]:7.2f} {found[side][-1][1]:16.2f} CPU", flush=True
            )
    if rounds > 1:
        for side, ratios in found.items():
            walls, cpus = zip(*ratios, strict=True)
            print(f"  median     {median(walls):7.2f} {median(cpus):16.2f} CPU, {side}")


def pack(path: Path, images: int, pixels: tuple[float, float]) -> None:
    """Write a zip of JPEGs of so many pixels, from and to, all different files."""
    made = [*pieces(*pixels)]
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(images):
            data = made[n % len(made)]
            comment = f"{n:08}".encode()
            mark = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
            archive.writestr(f"images/{n:06}.jpg", data[:2] + mark + data[2:])


def pieces(least: float, most: float) -> Iterator[bytes]:
    """Yield pieces of photos as JPEG; of noise where there are none."""
    import cv2
    import numpy as np
    import simplejpeg

    samples = os.environ.get("MEDIAMILL_SAMPLES")
    found = sorted(Path(samples).glob("p*.jpg")) if samples else []
    draw = np.random.default_rng(1)
    for n in range(PIECES):
        if found:
            whole = simplejpeg.decode_jpeg(found[n % len(found)].read_bytes())
        else:
            whole = cv2.resize(draw.integers(0, 255, (60, 80, 3), np.uint8), (1600, 1200))
        wide = round((draw.uniform(least, most) * 4 / 3) ** 0.5)
        high = wide * 3 // 4
        scale = max(1.0, wide / whole.shape[1], high / whole.shape[0])
        whole = cv2.resize(whole, None, fx=scale, fy=scale)
        left, upper = (int(draw.integers(1 + whole.shape[1 - k] - (wide, high)[k])) for k in (0, 1))
        piece = np.ascontiguousarray(whole[upper : upper + high, left : left + wide])
        yield simplejpeg.encode_jpeg(piece, quality=90, colorsubsampling="420")


# -- the bare script --------------------------------------------------------------------------


def run_bare(
    source: Path, target: Path, side: str, python: str, methods: list[str]
) -> tuple[float, float]:
    """Run a bare script in a process of its own; return its wall and processor time."""
    start, before = time.perf_counter(), os.times()
    command = [python, __file__, "--bare", str(source), str(target), side, ",".join(methods)]
    subprocess.run(command, check=True, env={**os.environ, **KEEPING})
    after = os.times()
    used = sum(after[2:4]) - sum(before[2:4])
    return time.perf_counter() - start, used


def bare(
    source: Path, target: Path, ready: Callable[[list[str]], None], methods: list[str]
) -> None:
    """Read a zip, change each image twice, write a zip."""
    cores = len(os.sched_getaffinity(0))
    with (
        zipfile.ZipFile(source) as archive,
        zipfile.ZipFile(target, "w") as made,
        ProcessPoolExecutor(cores, initializer=ready, initargs=(methods,)) as pool,
    ):
        names = archive.namelist()
        for start in range(0, len(names), AHEAD):
            some = names[start : start + AHEAD]
            changed = pool.map(_bare, map(archive.read, some), some)
            for name, files in zip(some, changed, strict=True):
                for n, data in enumerate(files):
                    made.writestr(name.replace(".jpg", f"-{n}.jpg"), data)


def _ready(methods: list[str]) -> None:
    """Give a process of the script with our kernels what changes a picture."""
    import cv2

    from mediamill.media.image.picture import Picture
    from mediamill.operations.augment import Augment
    from mediamill.operations.base import Context

    cv2.setNumThreads(1)
    step = Augment(methods=methods, copies=COPIES)

    def change(pixels, name: str):
        picture = Picture(pixels)
        picture.digest = name
        return [one.array() for one in step.apply_all(picture, Context(Path(), seed=SEED))]

    globals()["CHANGE"] = change


def _ready_albumentations(methods: list[str]) -> None:
    """Give a process of the script with albumentations what changes a picture."""
    from augment import albumentations

    pipeline = albumentations(methods, flip=0.5)
    globals()["CHANGE"] = lambda pixels, _: [pipeline(image=pixels)["image"] for _ in range(COPIES)]


KERNELS = {"our kernels": _ready, "albumentations": _ready_albumentations}
"""What the bare scripts change pictures with."""


def _bare(data: bytes, name: str) -> list[bytes]:
    """Decode, augment and encode, nothing else."""
    import simplejpeg

    return [
        simplejpeg.encode_jpeg(one, quality=QUALITY, colorsubsampling="420")
        for one in globals()["CHANGE"](simplejpeg.decode_jpeg(data), name)
    ]


# -- the service ------------------------------------------------------------------------------


class Part(NamedTuple):
    """What a part of the way took."""

    seconds: float
    used: float
    """Processor time of the service and its slots."""
    own: float
    """Processor time of the service without its slots."""
    memory: str


async def ours(source: Path, folder: Path, methods: list[str]) -> dict[str, Part]:
    """Go the whole way; return what each part of it took."""
    from common import client, free_port, process, seed

    token, _ = await seed(folder / "home", 0)
    port, parts = free_port(), dict[str, Part]()
    with process("up", folder / "home", port, max_upload_bytes=1 << 40) as service:

        @contextmanager
        def part(name: str) -> Iterator[None]:
            start, all_, own = time.perf_counter(), used(service.pid), spent(service.pid)[0]
            seen.clear()
            yield
            parts[name] = Part(
                time.perf_counter() - start, used(service.pid) - all_, spent(service.pid)[0] - own,
                told(seen),
            )  # fmt: skip

        async with client(port, token) as web:
            seen: list[tuple[float, float]] = []
            watching = asyncio.create_task(watch(service.pid, seen))
            with part("upload"):
                sent = await web.post("/v1/files?name=images.zip", content=_chunks(source))
                file = _good(sent).json()["id"]
            with part("import"):
                made = await web.post("/v1/projects", json={"name": "images"})
                here = _good(made).headers["location"]
                asked = await web.post(f"{here}/import", json={"file": file})
                task = await _until(web, _good(asked).json()["links"]["self"])
                assert task["state"] == "succeeded", task
                assert not task["outcome"]["failed"], task
            with part("augment"):
                parameters = {"methods": methods, "copies": COPIES}
                step = {"operation": "augment", "parameters": parameters}
                asked = await web.post(f"{here}/versions", json={"steps": [step], "seed": SEED})
                version = await _until(web, _good(asked).headers["location"])
                assert version["state"] == "ready", version
            with part("export"):
                await _download(web, version["links"]["export"], folder / "export.zip")
            watching.cancel()
    return parts


def check(source: Path, made: Path) -> None:
    """See to it that all came out."""
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(made) as archive:
        count = sum(name.endswith(".jpg") for name in archive.namelist())
        assert count == COPIES * len(given.namelist()), count


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


async def _until(web, path: str) -> dict[str, object]:
    """Wait until a task or version has ended."""
    while True:
        told = _good(await web.get(path, params={"wait": 20})).json()
        if told["state"] in {"succeeded", "ready", "failed"}:
            return told


async def _download(web, link: str, path: Path) -> None:
    """Write an export to a file, once it is prepared."""
    while True:
        asked = {"format": "files", "wait": 20}
        async with web.stream("GET", link, params=asked) as answer:
            if answer.status_code == 409:
                continue
            answer.raise_for_status()
            with path.open("wb") as file:
                async for chunk in answer.aiter_raw(1 << 20):
                    file.write(chunk)
            return


def _good(answer):
    assert answer.is_success, answer.text
    return answer


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def used(pid: int) -> float:
    """Return the processor time so far of a process and all below it, those that ended too."""
    return sum(sum(spent(one)) for one in tree(pid))


def spent(pid: int) -> tuple[float, float]:
    """Return the processor time of a process, and that of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, *ended = (int(field) / TICKS for field in fields[11:15])
    return user + system, sum(ended)


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MB; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6
    except OSError:
        return 0.0


async def watch(pid: int, seen: list[tuple[float, float]]) -> None:
    """Note the resident memory of the service and of its largest slot, until cancelled."""
    while True:
        slots = (resident(one) for one in tree(pid) if one != pid)
        seen.append((resident(pid), max(slots, default=0.0)))
        await asyncio.sleep(0.3)


def told(seen: list[tuple[float, float]]) -> str:
    """Say how much memory it was at first, at last, and at most."""
    tenth, said = max(1, len(seen) // 10), []
    for name, sizes in zip(("service", "slot"), zip(*seen, strict=True), strict=False):
        first, last = median(sizes[:tenth]), median(sizes[-tenth:])
        said.append(f"{name} {first:.0f} → {last:.0f}, at most {max(sizes):.0f} MB")
    return "; ".join(said)


if __name__ == "__main__":
    main()
