"""Take the combs out of interlaced frames, each frame by itself.

An interlaced frame weaves two moments together: what moved shows combs. Filters such as bwdif look
at the frames around as well, which would have to be decoded too; here every line of the second
field that is combed is filled from the first field's lines, and what stands still keeps all lines.
So a frame's bytes depend on nothing but that frame, and material that is flagged as interlaced
without being so comes out as it went in.

A sample is combed where it lies beyond both its neighbours above and below, and many samples
around it do too. The new one is the mean along the direction in which the lines above and below
agree best (edge-based line averaging, Doyle and Looymans 1990), or cubic where that is upright.
"""

from typing import Any, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Plane = Any
"""H×W samples of 8 or 16 bits, or such lines in wider integers."""

_LEAST = 6
"""Difference from both neighbours, of 255, from which a sample may belong to a comb."""
_AROUND = (15, 7)
"""Width and height of the window that is looked at, the latter in lines of one field."""
_SHARE = 0.08
"""Share of that window which must be combed."""
_PREFER_UPRIGHT = 6
"""By how much a slanted direction must agree better, for each sample that it leans."""
_DEPTHS = frozenset({8, 9, 10, 12, 14, 16})


def progressive(frame: VideoFrame) -> VideoFrame:
    """Return the frame without combs; the same object where it has none, or no planes of YUV."""
    form = frame.format
    depth = form.components[0].bits if form.components else 0
    packed = not form.name.startswith(("yuv4", "yuvj4", "gray")) or form.is_big_endian
    if not frame.interlaced_frame or packed or depth not in _DEPTHS or frame.height < 8:
        return frame
    planes = [_view(plane, depth) for plane in frame.planes]
    masks = _combs(planes[0], depth)
    if masks is None:
        return frame
    result = VideoFrame(frame.width, frame.height, form.name)
    result.colorspace, result.color_range = frame.colorspace, frame.color_range
    result.color_primaries, result.color_trc = frame.color_primaries, frame.color_trc
    for place, plane in enumerate(planes):
        _view(result.planes[place], depth)[:] = _filled(plane, masks)
    return result


def _view(plane: Any, depth: int) -> Plane:
    kind = np.dtype(np.uint8 if depth == 8 else "<u2")
    rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
    return rows[: plane.height, : plane.width]


def _combs(luma: Plane, depth: int) -> NDArray[np.uint8] | None:
    """Return a mask over the second field's lines of the luma plane; None where all is clear."""
    above, below = _neighbours(luma)
    own = luma[1::2].astype(np.int16 if depth < 16 else np.int32)
    up, down = own - above, own - below
    least = _LEAST << (depth - 8)
    beyond = ((up > least) & (down > least)) | ((up < -least) & (down < -least))
    nearest = np.minimum(np.abs(up), np.abs(down))
    beyond &= 2 * np.abs(above - below) < nearest
    beyond &= np.maximum(_step(own, 1), _step(own, -1)) < nearest
    if not beyond.any():
        return None
    share = cv2.blur(beyond.astype(np.float32), _AROUND)
    mask = cast("NDArray[np.uint8]", (share > _SHARE).astype(np.uint8))
    if not mask.any():
        return None
    return cast("NDArray[np.uint8]", cv2.dilate(mask, np.ones((3, 9), np.uint8)))


def _step(lines: Plane, shift: int) -> Plane:
    """Return how much each line differs from the one before or after in its own field."""
    return np.abs(lines - np.roll(lines, shift, 0))


def _neighbours(plane: Plane) -> tuple[Plane, Plane]:
    """Return the lines above and below each line of the second field, in wider samples."""
    first = plane[0::2].astype(np.int32 if plane.dtype.itemsize > 1 else np.int16)
    count = len(plane[1::2])
    return first[:count], np.concatenate([first[1:], first[-1:]])[:count]


def _filled(plane: Plane, mask: NDArray[np.uint8]) -> Plane:
    lines = plane[1::2]
    if not lines.size:
        return plane
    if mask.shape != lines.shape:
        mask = cast("NDArray[np.uint8]", cv2.resize(
            mask, (lines.shape[1], lines.shape[0]), interpolation=cv2.INTER_NEAREST
        ))  # fmt: skip
    result = plane.copy()
    result[1::2] = np.where(mask > 0, _between(plane), lines)
    return result


def _between(plane: Plane) -> Plane:
    """Return the second field's lines as they follow from the first field's."""
    above, below = _neighbours(plane)
    farther_up = np.concatenate([above[:1], above[:-1]])
    farther_down = np.concatenate([below[1:], below[-1:]])
    best = (9 * (above + below) - farther_up - farther_down + 8) >> 4
    low, high = np.minimum(above, below), np.maximum(above, below)
    best = np.clip(best, low, high)
    score = _unlike(above, below, 0)
    for shift in (-1, 1, -2, 2):
        other = _unlike(above, below, shift)
        closer = other + _PREFER_UPRIGHT * abs(shift) < score
        mean = (np.roll(above, shift, 1) + np.roll(below, -shift, 1) + 1) >> 1
        best, score = np.where(closer, mean, best), np.where(closer, other, score)
    return best.astype(plane.dtype)


def _unlike(above: Plane, below: Plane, shift: int) -> Plane:
    """Return how much three samples of the lines above and below differ along a direction."""
    apart = np.abs(np.roll(above, shift, 1) - np.roll(below, -shift, 1)).astype(np.float32)
    return cv2.blur(apart, (3, 1)) * 3
