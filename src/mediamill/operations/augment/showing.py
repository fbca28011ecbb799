"""What a preview shows of the parameters: the ends and the middle of each range."""

from typing import Any

from mediamill.operations.augment.parameters import AugmentParameters

ONE_COPY: dict[str, Any] = {"copies": 1, "keep_original": False, "splits": ("train",)}
"""What a picture is made with; it is shown as one of no split, which counts as `train`."""
_ODD = frozenset({"gaussian_blur_kernel", "motion_blur"})
_IN_PIXELS = frozenset({"gaussian_blur"})
_SIDES = frozenset({"random_crop", "tile"})


def ranges_of(told: AugmentParameters, method: str) -> dict[str, tuple[float, float, float]]:
    """Return the ranges of a method by their names: low end, middle, high end."""
    own = method.replace("-", "_")
    named = [name for name in type(told).model_fields if name == own or name.startswith(f"{own}_")]
    values = {name: getattr(told, name) for name in named}
    return {
        name: (ends[0], _middle(name, *ends), ends[1])
        for name, ends in values.items()
        if isinstance(ends, tuple)
    }


def _middle(name: str, low: float, high: float) -> float:
    if isinstance(low, int) and isinstance(high, int) and _whole(name):
        middle = (low + high) // 2
        return min(high, middle | 1) if name in _ODD else middle
    return (low + high) / 2


def _whole(name: str) -> bool:
    return name in _ODD or name in {"posterize", "jpeg_compression"}


def shrunk(told: AugmentParameters, factor: float) -> dict[str, Any]:
    """Return what is counted in pixels, for a picture of another size."""
    changed: dict[str, Any] = {}
    for name in _SIDES:
        changed[name] = max(1, round(getattr(told, name) * factor))
    for name in _IN_PIXELS:
        changed[name] = tuple(max(0.01, end * factor) for end in getattr(told, name))
    for name in _ODD:
        changed[name] = tuple(int(end * factor) // 2 * 2 + 1 for end in getattr(told, name))
    return changed
