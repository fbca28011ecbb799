"""How large pictures become when they are brought to a size, cut or tiled; no pixel is needed."""

from math import ceil
from typing import Literal, cast

from mediamill.core.errors import InvalidInput, LimitExceeded
from mediamill.media.image.codecs.formats import MAX_PIXELS

Fit = Literal["fit", "fill", "crop", "pad", "stretch"]
Size = tuple[int, int]
"""Width and height in pixels."""


def scaled_size(size: Size, width: int | None, height: int | None, fit: Fit) -> tuple[Size, Size]:
    """Return what a picture is stretched to, and what it has in the end: cut or filled up to it.

    One side that is not given follows the proportions. Raises `LimitExceeded` for more pixels than
    an image may have.
    """
    wide, high = size
    width = width or max(1, round(wide * cast("int", height) / high))
    height = height or max(1, round(high * width / wide))
    shares = width / wide, height / high
    covering = fit in ("fill", "crop")
    most = max(shares) ** 2 * wide * high if covering else width * height
    if most > MAX_PIXELS:
        raise LimitExceeded(f"Resized it would have {most:,.0f} pixels, more than {MAX_PIXELS:,}.")
    if fit == "stretch":
        return (width, height), (width, height)
    share = max(shares) if covering else min(shares)
    stretched = max(1, round(wide * share)), max(1, round(high * share))
    return stretched, stretched if fit in ("fit", "fill") else (width, height)


def cut_from(
    size: Size, left: int, upper: int, width: int, height: int
) -> tuple[int, int, int, int]:
    """Return left, upper, right and lower of as much of a rectangle as lies in a picture.

    Raises `InvalidInput` for none.
    """
    wide, high = size
    right, lower = min(wide, left + width), min(high, upper + height)
    left, upper = max(0, left), max(0, upper)
    if right <= left or lower <= upper:
        raise InvalidInput(f"The crop lies outside of a picture of {wide} × {high} pixels.")
    return left, upper, right, lower


def spans(length: int, count: int, overlap: float) -> tuple[int, list[int]]:
    """Return how long each of `count` spans is that cover a length, and where they begin.

    Neighbours share a part (0…0.9) of their length.
    """
    size = min(length, ceil(length / (count - (count - 1) * overlap)))
    steps = max(1, count - 1)
    return size, [round(place * (length - size) / steps) for place in range(count)]
