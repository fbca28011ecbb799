"""Other sizes, cuts and quarter turns, each with the warp by which annotations follow."""

from collections.abc import Iterator
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.alpha import weighted
from mediamill.media.image.depth import Pixels
from mediamill.media.image.geometry.sizes import Fit, cut_from, scaled_size, spans
from mediamill.media.image.geometry.warp import Edge, Matrix, Warp, stretching

Placed = tuple[Pixels, Warp]


def scaled(
    pixels: Pixels, width: int | None, height: int | None, fit: Fit, background: str = "#000000"
) -> Placed:
    """Bring pixels to a size; one side that is not given follows the proportions.

    `fit` lies inside the size, `fill` covers it, both with their own proportions; `crop` cuts what
    covers, `pad` fills up what fits, `stretch` bends, all to the very size. Raises `LimitExceeded`
    for more pixels than an image may have.
    """
    high, wide = pixels.shape[:2]
    size, (width, height) = scaled_size((wide, high), width, height, fit)
    made, warp = _stretched(pixels, *size)
    if size == (width, height):
        return made, warp
    left, upper = (width - size[0]) // 2, (height - size[1]) // 2
    if fit == "crop":
        cut, move = cropped(made, -left, -upper, width, height)
        return cut, _joined(warp, move)
    return _padded(made, warp, (left, upper), (width, height), background)


def _stretched(pixels: Pixels, width: int, height: int) -> Placed:
    high, wide = pixels.shape[:2]
    warp = Warp((wide, high), (width, height))
    if (wide, high) == (width, height):
        return pixels, warp
    shrinks = width * height < wide * high
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC

    def work(part: NDArray[Any]) -> NDArray[Any]:
        return cv2.resize(part, (width, height), interpolation=how)

    return weighted(pixels, work), warp.then(stretching(width / wide, height / high))


def _padded(
    pixels: Pixels, warp: Warp, at: tuple[int, int], size: tuple[int, int], background: str
) -> Placed:
    red, green, blue = bytes.fromhex(background[1:])
    value = Edge("constant", (red, green, blue)).value(pixels)
    right, lower = size[0] - pixels.shape[1] - at[0], size[1] - pixels.shape[0] - at[1]
    made = cv2.copyMakeBorder(pixels, at[1], lower, at[0], right, cv2.BORDER_CONSTANT, value=value)
    return cast("Pixels", made), warp.then(_shifted(*at), size)


def cropped(pixels: Pixels, left: int, upper: int, width: int, height: int) -> Placed:
    """Cut a rectangle, as much of it as lies in the picture; raises `InvalidInput` for none."""
    high, wide = pixels.shape[:2]
    left, upper, right, lower = cut_from((wide, high), left, upper, width, height)
    made = np.ascontiguousarray(pixels[upper:lower, left:right])
    size = right - left, lower - upper
    return cast("Pixels", made), Warp((wide, high), (wide, high)).then(
        _shifted(-left, -upper), size
    )


def tiles(pixels: Pixels, rows: int, columns: int, overlap: float) -> Iterator[Placed]:
    """Cut into equal tiles, row by row, neighbours sharing a part (0…0.9) of their side."""
    high, wide = pixels.shape[:2]
    height, tops = spans(high, rows, overlap)
    width, lefts = spans(wide, columns, overlap)
    for upper in tops:
        for left in lefts:
            yield cropped(pixels, left, upper, width, height)


def quarter_turned(pixels: Pixels) -> Placed:
    """Turn by 90° counter-clockwise."""
    high, wide = pixels.shape[:2]
    matrix = np.array([[0.0, 1, 0], [-1, 0, wide - 1], [0, 0, 1]])
    made = cast("Pixels", cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE))
    return made, Warp((wide, high), (wide, high)).then(matrix, (high, wide))


def _shifted(x: int, y: int) -> Matrix:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def _joined(warp: Warp, other: Warp) -> Warp:
    """Return one warp after another."""
    for part in other.parts:
        warp = warp.then(part, other.size)
    return warp
