"""Tones that are put together give what they give one by one."""

import numpy as np
import pytest
from tests.support import pictures

from mediamill.media.image.effects.tone import (
    Hue,
    Line,
    Lookup,
    Mix,
    recoloured,
    saturation,
    shuffle,
)

TONES = {
    "lines that clip": [Line(1.8), Line(0.5), Line(1.2, -0.1)],
    "lines that clip below": [Line(2.0, -0.8), Line(0.6, 0.3)],
    "lines and look-ups": [Line(1.5), Lookup(np.sqrt), Line(0.7), Lookup(lambda x: 1 - x)],
    "matrices": [saturation(0.3), shuffle([2, 0, 1]), saturation(0.8)],
    "turns": [Hue(0.4), Hue(0.9), Hue(-0.2)],
    "all": [Line(0.8), saturation(0.6), Hue(0.1), Lookup(np.square), shuffle([1, 2, 0])],
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("tones", TONES.values(), ids=TONES)
def test_together_and_one_by_one(tones: list, dtype: type):
    most = np.iinfo(dtype).max
    apart = pixels = np.rint(pictures.smooth(120, 90) * most).astype(dtype)
    for tone in tones:
        apart = recoloured(apart, [tone])
    error = np.abs(recoloured(pixels, tones).astype(float) - apart) / most * 255
    assert error.max() <= (3 if dtype == np.uint8 else 0.3)


def test_alpha_stays_and_a_lone_pixel_is_one():
    for shape in ((1, 1, 3), (1, 1, 4), (1, 5, 4), (5, 1, 3)):
        pixels = np.full(shape, 200, np.uint8)
        for tones in TONES.values():
            made = recoloured(pixels, tones)
            assert made.shape == shape
            assert (made[:, :, 3:] == 200).all()


def test_white_and_black_stay_in_a_mix():
    for value in (0, 255):
        pixels = np.full((4, 4, 3), value, np.uint8)
        assert (recoloured(pixels, [saturation(3)]) == value).all()
        assert (recoloured(pixels, [Mix(np.eye(3))]) == value).all()
