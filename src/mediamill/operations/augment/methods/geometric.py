"""Methods that move pixels; those that follow each other become one warp."""

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING

from mediamill.operations.augment.working import Apply, Work

if TYPE_CHECKING:
    from mediamill.media.image.canvas import Canvas


def _rotate(work: Work) -> None:
    from mediamill.media.image.geometry.matrices import rotation

    work.canvas.move(rotation(work.canvas.size, work.between(work.told.rotate)))


def _scale(work: Work) -> None:
    from mediamill.media.image.geometry.matrices import scaling

    work.canvas.move(scaling(work.canvas.size, work.between(work.told.scale)))


def _translate(work: Work) -> None:
    from mediamill.media.image.geometry.matrices import translation

    width, height = work.canvas.size
    x, y = (work.between(work.told.translate, part) for part in ("x", "y"))
    work.canvas.move(translation(round(x * width), round(y * height)))


def _shear(work: Work) -> None:
    from mediamill.media.image.geometry.matrices import shearing

    across, along = (
        work.between(ends, part)
        for ends, part in ((work.told.shear, "x"), (work.told.shear_vertical, "y"))
    )
    work.canvas.move(shearing(work.canvas.size, across, along))


def _horizontal_flip(work: Work) -> None:
    from mediamill.media.image.geometry.matrices import mirroring

    work.canvas.move(mirroring(work.canvas.size, across=True))


def _vertical_flip(work: Work) -> None:
    from mediamill.media.image.geometry.matrices import mirroring

    work.canvas.move(mirroring(work.canvas.size, across=False))


def _perspective(work: Work) -> None:
    from mediamill.media.image.geometry.matrices import perspective

    ends = work.told.perspective
    corners = [(work.between(ends, f"x{n}"), work.between(ends, f"y{n}")) for n in range(1, 5)]
    work.canvas.move(perspective(work.canvas.size, corners))


def _elastic(work: Work) -> None:
    from mediamill.media.image.geometry.elastic import elastic

    side = min(work.canvas.size)
    reach = work.between(work.told.elastic) * side
    sigma = work.between(work.told.elastic_smoothness, "smoothness") * side
    work.canvas.move(elastic(work.canvas.size, reach, sigma, work.key()))


def _random_crop(work: Work) -> None:
    width, height = work.canvas.size
    size = min(work.told.random_crop, width), min(work.told.random_crop, height)
    left = work.whole((0, width - size[0]), "left")
    upper = work.whole((0, height - size[1]), "top")
    _cut(work.canvas, left, upper, size)


def _tile(work: Work) -> "Iterator[Canvas]":
    """Yield canvases of equal size that cover all; where they do not divide it, they overlap."""
    width, height = work.canvas.size
    size = min(work.told.tile, width), min(work.told.tile, height)
    for upper in places(height, size[1]):
        for left in places(width, size[0]):
            part = work.canvas.copy({"tile": [left, upper, *size]})
            _cut(part, left, upper, size)
            yield part


def places(length: int, side: int) -> list[int]:
    """Return where tiles begin, evenly spread, the last at the very end."""
    count = ceil(length / side)
    return [round(n * (length - side) / max(1, count - 1)) for n in range(count)]


def _cut(canvas: "Canvas", left: int, upper: int, size: tuple[int, int]) -> None:
    from mediamill.media.image.geometry.matrices import translation

    canvas.move(translation(-left, -upper), size)


METHODS: dict[str, Apply] = {
    "rotate": _rotate,
    "scale": _scale,
    "translate": _translate,
    "shear": _shear,
    "horizontal-flip": _horizontal_flip,
    "vertical-flip": _vertical_flip,
    "perspective": _perspective,
    "elastic": _elastic,
    "random-crop": _random_crop,
    "tile": _tile,
}
