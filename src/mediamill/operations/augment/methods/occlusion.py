"""Methods that hide a part of a picture."""

from math import sqrt

from mediamill.operations.augment.working import Apply, Work


def _erase(work: Work) -> None:
    """Paint over a rectangle (torchvision's `RandomErasing`), cut where it would be too long."""
    width, height = work.canvas.size
    area = work.between(work.told.erase) * width * height
    ratio = work.between(work.told.erase_ratio, "ratio")
    high = min(height, max(1, round(sqrt(area * ratio))))
    wide = min(width, max(1, round(sqrt(area / ratio))))
    left = work.whole((0, width - wide), "left")
    upper = work.whole((0, height - high), "top")
    work.canvas.hide((left, upper, wide, high))


METHODS: dict[str, Apply] = {"erase": _erase}
