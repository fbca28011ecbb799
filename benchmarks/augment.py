"""Five methods on JPEGs of 1 to 2 megapixels, decode and encode included, beside albumentations.

    python -m venv /tmp/yardstick && /tmp/yardstick/bin/pip install albumentations==2.0.8 simplejpeg
    .venv/bin/python benchmarks/augment.py --albumentations /tmp/yardstick/bin/python
        [--rounds 9] [--images 24] [--cores 1 2]

Both sides take the same photos (of MEDIAMILL_SAMPLES, scaled; else made), the same ranges, linear
interpolation, the same JPEG library and quality, and write files; ours takes digests too. Every
method is used on every image. They run in turns in processes that stay, one per core; a core's
process is bound to it and its OpenCV has one thread. Printed are medians of images/s and the ratio
ours / albumentations, of wall and of processor time: above 1 is faster.
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

QUALITY = 85
PIPELINES: dict[str, dict[str, Any]] = {
    "flip, rotate, brightness, contrast, saturation": {
        "methods": ["horizontal-flip", "rotate", "brightness", "contrast", "saturation"],
    },
    "rotate, scale, shear, brightness, hue": {
        "methods": ["rotate", "scale", "shear", "brightness", "hue"],
    },
    "flip, translate, brightness, hue, saturation": {
        "methods": ["horizontal-flip", "translate", "brightness", "hue", "saturation"],
    },
    "flip, rotate, brightness, blur, noise": {
        "methods": ["horizontal-flip", "rotate", "brightness", "gaussian-blur", "gaussian-noise"],
    },
}
RANGES = {
    "rotate": (-20, 20), "scale": (0.5, 2), "shear": (-10, 10), "translate": (-0.2, 0.2),
    "brightness": (0.75, 1.5), "contrast": (0.5, 1.5), "saturation": (0.1, 2), "hue": (-0.5, 0.5),
    "gaussian_blur": (1, 10), "gaussian_blur_kernel": (3, 25), "gaussian_noise": (0.1, 0.1),
}  # fmt: skip


def main() -> None:
    """Make the photos, run every pipeline in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--albumentations", help="a Python that has albumentations 2.0.8")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--cores", type=int, nargs="*", default=[1, 2])
    parser.add_argument(
        "--same-memory", action="store_true", help="give both the allocator's settings of our slots"
    )
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        photos(Path(folder), options.images)
        for cores in options.cores:
            print(f"{cores} core{'s' if cores > 1 else ''}, {options.images} images, median of "
                  f"{options.rounds}")  # fmt: skip
            print(f"{'':48} {'ours':>8} {'albumentations':>15} {'ratio':>6} {'cpu ratio':>10}")
            for name in PIPELINES:
                print(compare(name, folder, cores, options), flush=True)


def photos(folder: Path, count: int) -> None:
    """Write JPEGs of 1 to 2 megapixels."""
    import cv2
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(1)
    for n in range(count):
        pixels = np.array(photo(n))
        high, wide = pixels.shape[:2]
        scale = (draw.uniform(1e6, 2e6) / (high * wide)) ** 0.5
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        data = io.BytesIO()
        Image.fromarray(small).save(data, "JPEG", quality=90)
        (folder / f"{n:03}.jpg").write_bytes(data.getvalue())


def _worker(
    python: str, side: str, name: str, folder: str, core: int, keeping: bool = True
) -> Worker:
    return Worker([python, __file__, "--worker", side, name, folder], core, keeping)


def compare(name: str, folder: str, cores: int, options: argparse.Namespace) -> str:
    """Return a line of the table; the first round only warms up."""
    sides = {"ours": [_worker(sys.executable, "ours", name, folder, n) for n in range(cores)]}
    if options.albumentations:
        python, keeping = options.albumentations, options.same_memory
        sides["theirs"] = [
            _worker(python, "theirs", name, folder, n, keeping) for n in range(cores)
        ]
    found = in_turns(sides, options.rounds, options.images)
    ours = found["ours"]
    if "theirs" not in found:
        return f"{name:48} {ours[0]:8.1f} {'unavailable':>15}"
    theirs = found["theirs"]
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return f"{name:48} {ours[0]:8.1f} {theirs[0]:15.1f} {ratios[0]:6.2f} {ratios[1]:10.2f}"


def work(side: str, name: str, folder: str) -> None:
    """Do what is asked on standard input, a list of image numbers a line."""
    run = (ours if side == "ours" else theirs)(PIPELINES[name]["methods"])
    files = sorted(Path(folder).glob("*.jpg"))
    with tempfile.TemporaryDirectory() as scratch:
        answering(lambda number: run(files[number], Path(scratch)))


def ours(methods: list[str]) -> Callable[[Path, Path], None]:
    """Return what makes one copy of a file with our operation."""
    from mediamill.operations.augment import Augment
    from mediamill.operations.base import Context, Source

    flips = {name: 1.0 for name in methods if "flip" in name}
    step = Augment(methods=methods, probability=flips, **RANGES)

    def run(path: Path, scratch: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        source = Source(descriptor, path.name, "image/jpeg", path.stat().st_size, path.name)
        outcome = step.run(source, Context(scratch))
        os.close(descriptor)
        outcome.files[0].path.unlink()

    return run


def theirs(methods: list[str]) -> Callable[[Path, Path], None]:
    """Return what makes one copy of a file with albumentations."""
    import simplejpeg

    pipeline = albumentations(methods)

    def run(path: Path, scratch: Path) -> None:
        pixels = simplejpeg.decode_jpeg(path.read_bytes())
        made = pipeline(image=pixels)["image"]
        data = simplejpeg.encode_jpeg(made, quality=QUALITY, colorsubsampling="420")
        (scratch / "out.jpg").write_bytes(data)

    return run


def albumentations(methods: list[str], flip: float = 1) -> Any:
    """Return albumentations' pipeline, its transforms one by one; `flip` is how often it flips."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations as A  # noqa: N812 - as its manual has it
    import cv2

    cv2.setNumThreads(1)
    still = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}
    colours = [name for name in ("brightness", "contrast", "saturation", "hue") if name in methods]
    transforms = {
        "horizontal-flip": lambda: A.HorizontalFlip(p=flip),
        "rotate": lambda: A.Rotate(limit=RANGES["rotate"], p=1),
        "scale": lambda: A.Affine(scale=RANGES["scale"], p=1),
        "shear": lambda: A.Affine(shear={"x": RANGES["shear"], "y": (0, 0)}, p=1),
        "translate": lambda: A.Affine(translate_percent=RANGES["translate"], p=1),
        "gaussian-blur": lambda: A.GaussianBlur(
            blur_limit=RANGES["gaussian_blur_kernel"], sigma_limit=RANGES["gaussian_blur"], p=1
        ),
        "gaussian-noise": lambda: A.GaussNoise(std_range=RANGES["gaussian_noise"], p=1),
    }
    chain = [transforms[name]() for name in methods if name in transforms]
    if colours:  # all in one transform, which is its fastest way
        place = next(n for n, name in enumerate(methods) if name in colours)
        chain.insert(place, A.ColorJitter(**still | {c: RANGES[c] for c in colours}, p=1))
    return A.Compose(chain)


if __name__ == "__main__":
    main()
