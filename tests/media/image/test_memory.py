"""What work on a picture of the largest size holds meanwhile, told by a small one."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from mediamill.media.image.alpha import blended
from mediamill.media.image.depth import Pixels
from mediamill.media.image.effects import corrections, filters

WORK: dict[str, tuple[float, Callable[[Pixels], Pixels]]] = {
    "denoise": (4, lambda pixels: corrections.denoised(pixels, 0.02)),
    "sharpen": (4, lambda pixels: corrections.sharpened(pixels, 0.3)),
    "blend": (3, lambda pixels: blended(pixels, pixels[::-1], 0.4)),
    "blur": (6, lambda pixels: filters.gaussian_blur(pixels, 9, 2)),
}
"""How many times the picture it may take besides: 50 MP of RGBA are a tenth of a slot."""


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", WORK)
def test_work_goes_by_strips(name: str, channels: int) -> None:
    most, work = WORK[name]
    shape = (2000, 600, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    tracemalloc.start()
    try:
        work(pixels)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most * pixels.nbytes
