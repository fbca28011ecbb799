"""Every method on pictures of 50 megapixels, in a slot with the memory that it has by default.

Takes half an hour on a quiet machine, most of it for 16 bits and alpha.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest

from mediamill.engine.slots import Call, CallItem, Failed, SlotLimits, SlotPool, Succeeded
from mediamill.media.image.codecs.header import MAX_PIXELS
from mediamill.operations.augment.ranges import Method
from mediamill.operations.preprocess.parameters import DEFAULT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]
SIZE = (8192, 6103)
"""Width, height: the largest that is taken, all but a row."""
KINDS = {
    "rgb.jpg": (3, np.uint8), "rgb.png": (3, np.uint8), "grey.png": (1, np.uint8),
    "rgba.png": (4, np.uint8), "grey16.png": (1, np.uint16), "rgb16.png": (3, np.uint16),
    "rgba16.png": (4, np.uint16),
}  # fmt: skip
WHOLE = {"rgb.jpg", "rgb.png", "grey.png"}
"""Those that must go through; others may be told that there is too little memory, as may AVIF."""
TOO_LARGE = {"out_of_memory", "limit_exceeded"}
WIDEST = {"super_resolution": (4, 4), "tile": 4096, "random_crop": 8192}
"""What takes most room."""
PIPELINE = ["rotate", "hue", "gaussian-blur", "sharpness", "gaussian-noise"]


def drawn(channels: int, dtype: type) -> np.ndarray:
    """Return a gradient with noise; a tenth is transparent where there is alpha."""
    width, height = SIZE
    most, random = np.iinfo(dtype).max, np.random.default_rng(1)
    made = np.empty((height, width, channels), dtype)
    across = np.linspace(0.1, 0.7, width)[:, None] * np.array([1.0, 0.8, 0.6, 1.0])[:channels]
    for row in range(0, height, 100):
        noise = random.normal(0, 0.01, (min(100, height - row), width, channels))
        made[row : row + 100] = (np.clip(across + 0.2 * row / height + noise, 0, 1) * most).round()
    if channels == 4:
        made[:, :, 3] = most
        made[: height // 10, :, 3] = 0
    return made


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def files(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A large file of a kind, and a small one."""
    assert 0.999 * MAX_PIXELS < SIZE[0] * SIZE[1] <= MAX_PIXELS
    folder = tmp_path_factory.mktemp("large")
    channels, dtype = KINDS[kind]
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if kind.endswith("png") else []
    assert cv2.imwrite(str(folder / kind), drawn(channels, dtype), options)
    small = np.random.default_rng(2).integers(0, 256, (480, 640, 3), np.uint8)
    assert cv2.imwrite(str(folder / "small.png"), small)
    yield folder / kind, folder / "small.png"
    (folder / kind).unlink()


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[SlotPool]:
    """A slot as the service has it."""
    pool = SlotPool(1, SlotLimits(), scratch=tmp_path / "scratch")
    yield pool
    await pool.close()


async def outcome(
    pool: SlotPool, files: tuple[Path, Path], step: tuple[str, dict[str, Any]], **more: Any
) -> Succeeded | Failed:
    """Run a step on a file and, in the same call, on a small one, which must go through."""
    (name, parameters), (path, small) = step, files
    descriptors = [os.open(one, os.O_RDONLY) for one in (path, path, small)]
    sizes = [os.fstat(one).st_size for one in descriptors]
    try:
        item, other, last = (
            CallItem(index, descriptor, path.name, size=size, sha256=f"{index}")
            for index, (descriptor, size) in enumerate(zip(descriptors, sizes, strict=True))
        )
        if {"mosaic", "mixup"} & {*parameters.get("methods", ())}:
            item = replace(item, partners=(other, other, other))
        call = Call(((name, parameters),), (item, last), seed=3, **more)
        found: dict[int, Succeeded | Failed] = {}
        async with pool.acquire() as slot:
            async for event in slot.run(call):
                if isinstance(event, Succeeded | Failed):
                    found[event.index] = event
                for made in event.outcome.files if isinstance(event, Succeeded) else ():
                    made.path.unlink()
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    assert isinstance(found[2], Succeeded), (parameters, found[2])
    return found[0]


def judged(kind: str, parameters: dict[str, Any], found: Succeeded | Failed) -> None:
    """See that a file went through, or, where it may, failed with a reason."""
    if isinstance(found, Failed):
        assert kind not in WHOLE, (parameters, found)
        assert found.code in TOO_LARGE, (parameters, found)


AUGMENTS = [
    *({"methods": [method], **WIDEST, "format": "jpeg"} for method in get_args(Method)),
    {"methods": ["super-resolution"], "super_resolution": (0.25, 0.25), "format": "webp"},
    {"methods": PIPELINE, "keep_original": True},
]


async def test_augment(files: tuple[Path, Path], pool: SlotPool, kind: str):
    for told in AUGMENTS:
        sure = {"probability": dict.fromkeys(told["methods"], 1.0)}
        step = ("augment", {**told, **sure})
        judged(kind, told, await outcome(pool, files, step))


PREPROCESSES: list[dict[str, Any]] = [
    *({"methods": [method], "format": "jpeg"} for method in DEFAULT),
    {"methods": ["grayscale"], "format": "jpeg"},
    {"methods": ["equalize-histogram"], "equalization": "clahe", "low_contrast": 1},
    {"methods": ["equalize-histogram"], "low_contrast": 1, "format": "jpeg"},
    {"methods": ["resize"], "width": 4000, "height": 9000, "fit": "pad", "format": "jpeg"},
    {"methods": ["crop", "tile"], "crop": (0, 0, 8000, 6000), "rows": 2, "columns": 2},
    {"methods": DEFAULT},
]


async def test_what_looks_at_the_set(files: tuple[Path, Path], pool: SlotPool, kind: str):
    """preprocess and health-check measure; then a reference far off has all be corrected."""
    for step in (("health-check", {}), ("preprocess", {"methods": DEFAULT})):
        measured = await outcome(pool, files, step, kind="measure")
        judged(kind, {}, measured)
    if isinstance(measured, Failed):
        return
    (image,) = measured.outcome.data["images"]
    size = {"width": SIZE[1] * 0.8 // 1, "height": SIZE[0] * 0.8 // 1}
    numbers = {name: image[name] for name in ("brightness", "contrast", "saturation", "sharpness",
                                              "noise", "hue", "chroma")}  # fmt: skip
    far = {**{name: value * 0.6 for name, value in numbers.items()}, "chroma": 0.1, **size}
    medians = {name: value for name, value in far.items() if name != "chroma"}
    agreed = {"reference": {"chosen": "auto", "numbers": far}, "median": medians,
              "spread": dict.fromkeys(medians, 0.01)}  # fmt: skip
    for told in PREPROCESSES:
        step = ("preprocess", {**told, "threshold": 0})
        judged(kind, told, await outcome(pool, files, step, agreed={0: agreed}))


async def test_thumbnails_and_formats(files: tuple[Path, Path], pool: SlotPool, kind: str):
    steps: list[tuple[str, dict[str, Any]]] = [
        ("thumbnail", {}),
        *(("convert", {"format": form}) for form in ("jpeg", "png", "webp", "avif")),
        ("convert", {"background": "#102030", "format": "png"}),
    ]
    for step in steps:
        found = await outcome(pool, files, step)
        sure = "rgb.png" if step[0] == "thumbnail" else kind
        judged("avif" if step[1].get("format") == "avif" else sure, dict([step]), found)
