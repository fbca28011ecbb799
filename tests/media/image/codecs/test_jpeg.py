"""Encoding from planes reads nothing but the planes."""

import io

import numpy as np
import pytest
from PIL import Image

from mediamill.media.image.codecs.jpeg import encode_planes


@pytest.mark.parametrize("size", [(169, 300), (168, 301), (33, 17), (3, 3), (1, 2), (1, 1)])
@pytest.mark.parametrize("sampling", [(1, 1), (1, 2), (2, 2)])
def test_memory_after_a_plane_does_not_matter(size: tuple[int, int], sampling: tuple[int, int]):
    """TurboJPEG rounds sizes up: the row after an odd plane would be whatever is in memory."""
    height, width = size
    down, across = sampling
    small = (-(-height // down), -(-width // across))
    chroma = np.full(small, 90, np.uint8)
    results = set()
    for junk in (0, 255):
        memory = np.full(((height + 2) * width + 64,), junk, np.uint8)
        plane = memory[: height * width].reshape(height, width)
        plane[:] = np.arange(width) % 200 + 20
        results.add(encode_planes(plane, chroma, chroma, 90))
    assert len(results) == 1
    assert Image.open(io.BytesIO(results.pop())).size == (width, height)
