"""A picture that is turned after it was shrunk is what it is when turned before, and as good."""

import cv2
import numpy as np
import pytest

from mediamill.media.image.orient import UPRIGHT, from_exif
from mediamill.media.image.picture import Picture
from mediamill.media.image.stored import StoredPicture


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("side", [30, 55])
def test_it_is_what_it_would_be_when_turned_first(value: int, side: int) -> None:
    pixels = np.random.default_rng(value).integers(0, 256, (50, 80, 3), np.uint8)
    turn = from_exif(value)
    upright = np.ascontiguousarray(turn.apply(pixels))
    first = Picture(upright)
    stored = StoredPicture(pixels, turn)
    assert (stored.width, stored.height) == (first.width, first.height)
    small = stored.fit(side, side).array()
    wanted = StoredPicture(upright, UPRIGHT).fit(side, side).array()
    assert small.shape == wanted.shape
    assert np.abs(small.astype(int) - wanted).max() <= 1  # sums are rounded in another order
    for _ in range(2):  # the second time it is not turned again
        assert np.array_equal(stored.array(), first.array())
        assert (stored.width, stored.height) == (first.width, first.height)


@pytest.mark.parametrize("side", [130, 150, 200, 230])
def test_what_a_decoder_left_to_do_is_nearer_to_the_whole_than_a_mean_over_what_it_gave(side: int):
    random = np.random.default_rng(7)
    coarse = random.integers(0, 256, (96, 128, 3), np.uint8)
    whole = cv2.resize(coarse, (1000, 752), interpolation=cv2.INTER_CUBIC)
    given = cv2.resize(whole, (250, 188), interpolation=cv2.INTER_AREA)
    made = StoredPicture(given, UPRIGHT).fit(side, side).array()
    size = made.shape[1], made.shape[0]
    ideal, plain = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (whole, given))
    ours, theirs = (np.square(one - ideal.astype(float)).mean() for one in (made, plain))
    assert ours < 0.9 * theirs


@pytest.mark.parametrize("side", [150, 230])
def test_edges_do_not_ring(side: int):
    given = np.full((250, 250, 3), 20, np.uint8)
    given[:, 125:] = 220
    made = StoredPicture(given, UPRIGHT).fit(side, side).array()
    assert made.min() >= 8
    assert made.max() <= 232
