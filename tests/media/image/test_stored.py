"""A picture that is turned after it was shrunk is what it is when turned before."""

import numpy as np
import pytest

from mediamill.media.image.orient import from_exif
from mediamill.media.image.picture import Picture
from mediamill.media.image.stored import StoredPicture


@pytest.mark.parametrize("value", range(1, 9))
def test_it_is_what_it_would_be_when_turned_first(value: int) -> None:
    pixels = np.random.default_rng(value).integers(0, 256, (50, 80, 3), np.uint8)
    turn = from_exif(value)
    first = Picture(np.ascontiguousarray(turn.apply(pixels)))
    stored = StoredPicture(pixels, turn)
    assert (stored.width, stored.height) == (first.width, first.height)
    small, wanted = stored.fit(30, 30).array(), first.fit(30, 30).array()
    assert small.shape == wanted.shape
    assert np.abs(small.astype(int) - wanted).max() <= 1  # sums are rounded in another order
    for _ in range(2):  # the second time it is not turned again
        assert np.array_equal(stored.array(), first.array())
        assert (stored.width, stored.height) == (first.width, first.height)
