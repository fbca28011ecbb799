"""Thumbnails of 12-megapixel photos, 300 px, beside the fastest libraries; orientation applied.

    python -m venv /tmp/yardstick && /tmp/yardstick/bin/pip install pyvips-binary pyvips simplejpeg
    .venv/bin/python benchmarks/thumbnails.py [--vips /tmp/yardstick/bin/python]
        [--imgproxy PROGRAM] [--rounds 9] [--images 12] [--cores 1 2]

All read the same JPEGs (photos of MEDIAMILL_SAMPLES scaled to 12 megapixels, each with an EXIF
orientation; made ones without) and write JPEG files of quality 80. Ours is the operation as a slot
runs it, with its digests. They run in turns in processes that stay, one per core; OpenCV and
libvips have one thread each. Printed are medians of images/s, and ours / the other, of wall and of
processor time: above 1 is faster.

With `--imgproxy` (a program of imgproxy 3 or 4) servers are asked too, over loopback: imgproxy with
a worker for each core, a request for each photo; ours with a slot for each core, a job for all of
them, then its zip. Theirs is the processor time of the servers, without that of who asks.
"""

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sides import Worker, answering, in_turns, photo

SIDE, QUALITY, ORIENTATION = 300, 80, 0x0112
Make = Callable[[Path, Path], None]


def main() -> None:
    """Make the photos, run every side in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vips", help="a Python that has pyvips")
    parser.add_argument("--imgproxy", help="a program of imgproxy")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--cores", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        photos(Path(folder), options.images)
        for cores in options.cores:
            pythons = {name: sys.executable for name in SIDES if name != "pyvips"}
            if options.vips:
                pythons["pyvips"] = options.vips
            workers: dict[str, list[Any]] = {
                name: [_worker(python, name, folder, core) for core in range(cores)]
                for name, python in pythons.items()
            }
            if options.imgproxy:
                workers |= servers(options.imgproxy, folder, cores)
            print(f"{cores} core{'s' if cores > 1 else ''}, {options.images} images, median of "
                  f"{options.rounds}")  # fmt: skip
            found = in_turns(workers, options.rounds, options.images)
            for name, (speed, cpu) in found.items():
                print(f"{name:28} {speed:8.1f} {found['ours'][0] / speed:8.2f} "
                      f"{found['ours'][1] / cpu:8.2f}", flush=True)  # fmt: skip
            if not options.vips:
                print(f"{'pyvips':28} unavailable")


def servers(program: str, folder: str, cores: int) -> dict[str, list[Any]]:
    """Start imgproxy, and a service of ours."""
    from serving import Imgproxy, Service

    step = {"operation": "thumbnail", "parameters": {"size": SIDE, "quality": QUALITY}}
    return {
        "imgproxy, over HTTP": [Imgproxy(program, folder, cores, SIDE, QUALITY)],
        "ours, over HTTP": [Service(Path(folder) / f"home-{cores}" / "home", folder, cores, step)],
    }


def _worker(python: str, name: str, folder: str, core: int) -> Worker:
    return Worker([python, __file__, "--worker", name, folder], core, keeping=name == "ours")


def photos(folder: Path, count: int) -> None:
    """Write JPEGs of 12 megapixels, 4:2:0, with an orientation each."""
    from PIL import Image

    for n in range(count):
        image = photo(n)
        exif = Image.Exif()
        exif[ORIENTATION] = (1, 6, 3, 8)[n % 4]
        file = io.BytesIO()
        image.resize((4000, 3000), Image.Resampling.BICUBIC).save(
            file, "JPEG", quality=90, exif=exif, subsampling="4:2:0"
        )
        (folder / f"{n:03}.jpg").write_bytes(file.getvalue())


def work(name: str, folder: str) -> None:
    """Do what is asked on standard input."""
    make = SIDES[name]()
    files = sorted(Path(folder).glob("*.jpg"))
    with tempfile.TemporaryDirectory() as scratch:
        answering(lambda number: make(files[number], Path(scratch)))


def ours() -> Make:
    from mediamill.operations.base import Context, Source
    from mediamill.operations.thumbnail import Thumbnail

    step = Thumbnail()

    def make(path: Path, scratch: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        source = Source(descriptor, path.name, "image/jpeg", path.stat().st_size)
        outcome = step.run(source, Context(scratch))
        os.close(descriptor)
        outcome.files[0].path.unlink()

    return make


def simplejpeg_area() -> Make:
    """libjpeg-turbo, shrunk while it is decoded, then OpenCV by area: the fastest of them."""
    import cv2
    import simplejpeg
    from PIL import Image

    cv2.setNumThreads(1)

    def make(path: Path, scratch: Path) -> None:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            turn = image.getexif().get(ORIENTATION, 1)
        pixels = simplejpeg.decode_jpeg(data, min_height=225, min_width=300, min_factor=1)
        small = _turned(cv2.resize(pixels, (300, 225), interpolation=cv2.INTER_AREA), turn)
        data = simplejpeg.encode_jpeg(small, quality=QUALITY, colorsubsampling="420")
        (scratch / "out.jpg").write_bytes(data)

    return make


def _turned(pixels: object, turn: int) -> object:
    import cv2
    import numpy as np

    codes = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
    return np.ascontiguousarray(cv2.rotate(pixels, codes[turn]) if turn in codes else pixels)


def opencv_reduced() -> Make:
    """OpenCV alone, decoded to an eighth, which it turns by itself."""
    import cv2

    cv2.setNumThreads(1)

    def make(path: Path, scratch: Path) -> None:
        pixels = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_8)
        scale = SIDE / max(pixels.shape)
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(scratch / "out.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])

    return make


def pillow_draft() -> Make:
    from PIL import Image, ImageOps

    def make(path: Path, scratch: Path) -> None:
        with Image.open(path) as image:
            image.draft("RGB", (SIDE, SIDE))
            image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
            ImageOps.exif_transpose(image).save(scratch / "out.jpg", quality=QUALITY)

    return make


def pyvips() -> Make:
    os.environ["VIPS_CONCURRENCY"] = "1"
    import pyvips as vips

    vips.cache_set_max(0)

    def make(path: Path, scratch: Path) -> None:
        small = vips.Image.thumbnail(str(path), SIDE, height=SIDE)
        small.jpegsave(str(scratch / "out.jpg"), Q=QUALITY, keep="none")

    return make


SIDES: dict[str, Callable[[], Make]] = {
    "ours": ours,
    "simplejpeg, area": simplejpeg_area,
    "OpenCV reduced": opencv_reduced,
    "Pillow draft": pillow_draft,
    "pyvips": pyvips,
}

if __name__ == "__main__":
    main()
