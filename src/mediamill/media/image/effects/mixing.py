"""Pictures made of several."""

from collections.abc import Iterable
from itertools import chain

import numpy as np

from mediamill.annotations.geometry import moved
from mediamill.annotations.model import ImageAnnotations
from mediamill.media.image.alpha import blended
from mediamill.media.image.canvas import Canvas
from mediamill.media.image.depth import Pixels, eight, sixteen, top
from mediamill.media.image.geometry.matrices import translation
from mediamill.media.image.geometry.warp import Edge, Size, Warp, stretching
from mediamill.media.image.picture import Picture

_REPEATED = Edge("replicate")


def mosaic(canvas: Canvas, others: Iterable[Picture], meeting: tuple[float, float]) -> None:
    """Put four pictures into the quarters of a canvas, which meet at shares of width and height.

    Each is scaled to cover its quarter and cut around its middle (YOLO's mosaic, at own size).
    `others` are taken one by one, so that not all of them are in memory.
    """
    width, height = canvas.size
    x = min(width - 1, max(1, round(width * meeting[0]))) if width > 1 else width
    y = min(height - 1, max(1, round(height * meeting[1]))) if height > 1 else height
    own = canvas.pixels()
    made, parts = np.empty_like(own), []
    mine = canvas.source.made(own, {}, canvas.annotations)
    corners = (
        (0, 0, x, y),
        (x, 0, width - x, y),
        (0, y, x, height - y),
        (x, y, width - x, height - y),
    )
    coming = chain([mine], others)
    for left, upper, wide, high in corners:
        picture = next(coming)
        if wide and high:
            pixels, found = _covering(picture, (wide, high), own, canvas)
            made[upper : upper + high, left : left + wide] = pixels
            if found is not None:
                shift = Warp((wide, high), (width, height)).then(translation(left, upper))
                parts.append(moved(found, shift, width, height))
            del pixels
        del picture
    canvas.put(made, parts)


def mixup(canvas: Canvas, other: Picture, share: float) -> None:
    """Mix a share of another picture, scaled to cover, into a canvas; it shows all annotations."""
    own = canvas.pixels()
    pixels, found = _covering(other, canvas.size, own, canvas)
    canvas.put(
        blended(own, pixels, share), [one for one in (canvas.annotations, found) if one is not None]
    )


def _covering(
    picture: Picture, size: Size, like: Pixels, canvas: Canvas
) -> tuple[Pixels, ImageAnnotations | None]:
    """Return a picture scaled to cover a size and cut around its middle, of another's kind."""
    factor = max(size[0] / picture.width, size[1] / picture.height)
    x, y = (size[0] - picture.width * factor) / 2, (size[1] - picture.height * factor) / 2
    matrix = translation(x, y) @ stretching(factor, factor)
    warp = Warp((picture.width, picture.height), size).then(matrix)
    pixels = alike(warp.apply(picture.array(), _REPEATED), like)
    found = picture.annotations
    if found is not None:
        found = moved(found, warp, *size, canvas.min_visibility)
    return pixels, found


def alike(pixels: Pixels, like: Pixels) -> Pixels:
    """Return pixels of the depth and with as many channels as others; new alpha is opaque."""
    made = eight(pixels) if like.dtype == np.uint8 else sixteen(pixels)
    if made.shape[2] == like.shape[2]:
        return made
    if made.shape[2] == 4:
        return made[:, :, :3]
    alpha = np.full((*made.shape[:2], 1), top(made), made.dtype)
    return np.concatenate([made, alpha], axis=2)
