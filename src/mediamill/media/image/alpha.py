"""Work on pixels that may have transparency, so that hidden colours do not bleed out of it.

Numbers between are made some rows at a time: those of a whole picture would take more room than it
does.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.depth import Pixels, top

Linear = Callable[[NDArray[Any]], NDArray[Any]]
_ROWS = 128
_MOST = 65_535


def weighted(pixels: Pixels, work: Linear) -> Pixels:
    """Return what linear work makes of H×W×3, or of H×W×4 with alpha multiplied in meanwhile.

    With alpha `work` is given 16 bits, whatever the picture's depth.
    """
    if pixels.shape[2] == 3:
        return cast("Pixels", work(pixels))
    return _divided(work(_multiplied(pixels)), pixels)


def blended(pixels: Pixels, other: Pixels, share: float) -> Pixels:
    """Return the mean of two pictures of one size and kind, `share` (0…1) being the other's."""
    if pixels.shape[2] == 3:
        return cast("Pixels", cv2.addWeighted(pixels, 1 - share, other, share, 0))
    made = np.empty_like(pixels)
    for rows in strips(len(pixels)):
        wide = [_multiplied(one[rows]) for one in (pixels, other)]
        made[rows] = _divided(cv2.addWeighted(wide[0], 1 - share, wide[1], share, 0), pixels)
    return made


def _multiplied(pixels: Pixels) -> NDArray[np.uint16]:
    """Return H×W×4 of 16 bits whose colours are as strong as they show."""
    made = np.empty(pixels.shape, np.uint16)
    scale = np.float32(_MOST / top(pixels))
    for rows in strips(len(pixels)):
        whole = pixels[rows].astype(np.float32)
        whole[:, :, :3] *= whole[:, :, 3:] / np.float32(top(pixels))
        made[rows] = np.rint(whole * scale)
    return made


def _divided(made: NDArray[Any], like: Pixels) -> Pixels:
    """Return the colours as they are, at the depth of other pixels; none where nothing shows."""
    pixels = np.empty(made.shape, like.dtype)
    for rows in strips(len(made)):
        whole = made[rows].astype(np.float32)
        alpha = whole[:, :, 3:]
        whole[:, :, :3] *= np.where(alpha > 0, _MOST / np.maximum(alpha, 1), 0)
        pixels[rows] = rounded(whole * np.float32(top(like) / _MOST), like)
    return cast("Pixels", pixels)


def strips(height: int) -> Iterator[slice]:
    """Yield rows that are worked on together."""
    for start in range(0, height, _ROWS):
        yield slice(start, min(height, start + _ROWS))


def widened(rows: slice, reach: int, height: int) -> tuple[slice, slice]:
    """Return rows with those that a filter sees beside them, and where the rows are in these."""
    above = max(0, rows.start - reach)
    outer = slice(above, min(height, rows.stop + reach))
    return outer, slice(rows.start - above, rows.stop - above)


def colours(pixels: Pixels, work: Linear) -> Pixels:
    """Return what work makes of the colours, H×W×3; alpha stays as it is."""
    if pixels.shape[2] == 3:
        return cast("Pixels", work(pixels))
    made = work(np.ascontiguousarray(pixels[:, :, :3]))  # the copy is gone when this is done
    return cast("Pixels", np.concatenate([made, pixels[:, :, 3:]], axis=2))


def rounded(values: NDArray[Any], like: Pixels) -> Pixels:
    """Return numbers rounded and clipped to the depth of other pixels."""
    if like.dtype == np.uint8:
        return cast("Pixels", cv2.convertScaleAbs(np.maximum(values, 0)))
    return cast("Pixels", np.clip(np.rint(values), 0, top(like)).astype(like.dtype))
