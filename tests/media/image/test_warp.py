"""Warps: with a fourth channel, which is only quicker, they give what they give without."""

from typing import Any

import cv2
import numpy as np
import pytest

from mediamill.media.image.geometry import warp as module
from mediamill.media.image.geometry.matrices import perspective, rotation, scaling
from mediamill.media.image.geometry.warp import Border, Edge, Interpolation, Warp

WIDE, HIGH = 83, 61
CORNERS = [(0.1, 0.0), (0.0, 0.2), (0.05, 0.1), (0.2, 0.0)]


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
@pytest.mark.parametrize("border", ["constant", "replicate", "reflect"])
def test_a_fourth_channel_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, depth: Any, interpolation: Interpolation, border: Border
) -> None:
    draw = np.random.default_rng(4)
    pixels = draw.integers(0, np.iinfo(depth).max, (HIGH, WIDE, 3), depth, endpoint=True)
    size, edge, seen = (WIDE, HIGH), Edge(border, (9, 120, 250)), []
    real = cv2.cvtColor
    monkeypatch.setattr(
        module.cv2, "cvtColor", lambda *told: (seen.append(told[1]), real(*told))[1]
    )
    for part in (rotation(size, 17), scaling(size, 1.7), perspective(size, CORNERS)):
        moved = Warp.still(*size).then(part)
        monkeypatch.setattr(module, "_FOURTH", 1 << 27)
        quick = moved.apply(pixels, edge, interpolation)
        assert seen == [cv2.COLOR_RGB2RGBA, cv2.COLOR_RGBA2RGB]
        monkeypatch.setattr(module, "_FOURTH", 0)
        assert np.array_equal(quick, moved.apply(pixels, edge, interpolation))
        assert len(seen) == 2
        seen.clear()


def test_a_large_picture_has_no_room_for_a_fourth_channel() -> None:
    large = Warp.still(8000, 6000)
    assert not large._light(np.empty((6000, 8000, 3), np.uint8))
    assert Warp.still(4000, 3000)._light(np.empty((3000, 4000, 3), np.uint8))
    assert not Warp((100, 100), (8000, 6000))._light(np.empty((100, 100, 3), np.uint8))
