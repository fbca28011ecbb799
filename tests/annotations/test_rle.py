"""Masks in both spellings, judged by pycocotools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as judge

from mediamill.annotations.model import Rle
from mediamill.annotations.rle import area_of, bitmap_of, box_of, compressed, decompressed, mask_of
from mediamill.core.errors import InvalidInput


@st.composite
def bitmaps(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    seed, density = draw(st.integers(0, 2**16)), draw(st.sampled_from([0, 0.02, 0.5, 0.98, 1]))
    return (np.random.default_rng(seed).random((height, width)) < density).astype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(bitmap=bitmaps())
def test_masks_are_those_of_pycocotools(bitmap: np.ndarray) -> None:
    theirs = judge.encode(np.asfortranarray(bitmap))
    ours = mask_of(bitmap)
    assert ours == Rle(*bitmap.shape, theirs["counts"].decode())
    assert (bitmap_of(ours) == bitmap).all()
    assert area_of(ours) == judge.area(theirs)
    expected = tuple(judge.toBbox(theirs)) if bitmap.any() else None
    assert box_of(ours) == expected


@given(counts=st.lists(st.integers(0, 2**40), max_size=20))
def test_runs_survive_their_spelling(counts: list[int]) -> None:
    assert decompressed(compressed(counts)) == tuple(counts)


@pytest.mark.parametrize(
    "mask",
    [Rle(4, 4, (1, 2)), Rle(4, 4, (-1, 17)), Rle(4, 4, "a"), Rle(4, 4, "\x00"), Rle(0, 4, ()),
     Rle(4, 4, "o" * 40), Rle(1 << 20, 1 << 20, (1 << 40,)), Rle(-4, -4, (16,)), Rle(4, 4, "é")],
)  # fmt: skip
def test_runs_that_do_not_fit_are_refused(mask: Rle) -> None:
    with pytest.raises(InvalidInput):
        bitmap_of(mask)
