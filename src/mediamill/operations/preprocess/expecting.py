"""How large preprocess makes pictures, as far as its parameters tell; what is not known is 0."""

from typing import TYPE_CHECKING

from mediamill.media.image.geometry.sizes import Size, cut_from, scaled_size, spans

if TYPE_CHECKING:
    from mediamill.operations.preprocess.parameters import PreprocessParameters

UNKNOWN = (0, 0)


def tiled(told: "PreprocessParameters", size: Size) -> tuple[int, Size]:
    """Return how many pictures there will be of one, and their size.

    Raises `InvalidInput` for a size that the picture cannot be brought to, or cut from.
    """
    for method in told.methods:
        if method == "rotate-to-reference":
            size = size if size[0] == size[1] else UNKNOWN
        elif method == "crop" and told.crop:
            left, upper, right, lower = cut_from(size, *told.crop) if all(size) else (0, 0, 0, 0)
            size = right - left, lower - upper
        elif method in ("resize", "resize-to-reference"):
            size = _resized(told, size)
    if "tile" not in told.methods:
        return 1, size
    (high, _), (wide, _) = (
        spans(length, count, told.overlap)
        for length, count in ((size[1], told.rows), (size[0], told.columns))
    )
    return told.rows * told.columns, (wide, high)


def _resized(told: "PreprocessParameters", size: Size) -> Size:
    """Return a picture's size after `resize`; 0 where the reference tells."""
    if all(size) and (told.width or told.height):
        return scaled_size(size, told.width, told.height, told.fit)[1]
    bounded = told.width and told.height and told.fit != "fill"
    return (told.width or 0, told.height or 0) if bounded else UNKNOWN
