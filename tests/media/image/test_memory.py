"""What work on a picture of the largest size holds meanwhile, told by a small one."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from mediamill.media.image.alpha import blended
from mediamill.media.image.codecs import deep
from mediamill.media.image.codecs.encode import flatten
from mediamill.media.image.codecs.icc import Profile
from mediamill.media.image.depth import Pixels
from mediamill.media.image.effects import corrections, filters
from mediamill.media.image.numbers import levels

WORK: dict[str, tuple[float, Callable[[Pixels], object]]] = {
    "levels": (3, levels.levels),
    "equalize": (2.5, corrections.equalized),
    "clahe": (2.5, lambda pixels: corrections.equalized(pixels, clahe=True)),
    "grey": (2.2, corrections.greyed),
    "contrast": (2.2, lambda pixels: corrections.contrasted(pixels, 0.3)),
    "flatten": (1.5, flatten),
    "denoise": (4, lambda pixels: corrections.denoised(pixels, 0.02)),
    "sharpen": (4, lambda pixels: corrections.sharpened(pixels, 0.3)),
    "blend": (3, lambda pixels: blended(pixels, pixels[::-1], 0.4)),
    "blur": (6, lambda pixels: filters.gaussian_blur(pixels, 9, 2)),
}
"""How many times the picture it may take besides: 50 MP of RGBA are a tenth of a slot."""


def peak_of(work: Callable[[Pixels], object], pixels: Pixels) -> float:
    """Return how many times the picture work held besides."""
    tracemalloc.start()
    try:
        work(pixels)
        return tracemalloc.get_traced_memory()[1] / pixels.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", WORK)
def test_work_goes_by_strips(name: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_SAMPLE", 10_000)  # else it is all of so small a picture
    most, work = WORK[name]
    shape = (2000, 600, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert peak_of(work, pixels) < most


def test_a_profile_is_applied_by_strips() -> None:
    profile = Profile((lambda x: x**2.2,) * 3, np.eye(3) / 3)
    pixels = np.random.default_rng(0).integers(0, 65536, (2000, 600, 3), np.uint16)
    assert peak_of(lambda some: deep.in_srgb(some, profile), pixels) < 2.5
