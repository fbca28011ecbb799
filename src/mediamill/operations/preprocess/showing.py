"""What a preview shows of the parameters: numbers that a method goes by, from least to most."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediamill.operations.preprocess.parameters import PreprocessParameters

USERS = {
    "threshold": frozenset({
        "denoise", "equalize-histogram", "normalize-contrast", "normalize-brightness",
        "normalize-saturation", "normalize-hue", "normalize-sharpness",
    }),
    "strength": frozenset({"denoise"}),
    "low_contrast": frozenset({"equalize-histogram"}),
    "overlap": frozenset({"tile"}),
}  # fmt: skip
"""Numbers that change a picture, and the methods that go by each."""


def ranges_of(told: "PreprocessParameters") -> dict[str, tuple[float, float, float]]:
    """Return the numbers that are used: the least allowed, the one that is set, the most.

    Of one that is left out the middle is halfway in orders of magnitude.
    """
    return {
        name: _range(told, name)
        for name, users in USERS.items()
        if users & set(told.methods) and not (name == "threshold" and not told.surveys)
    }


def _range(told: "PreprocessParameters", name: str) -> tuple[float, float, float]:
    bounds = type(told).model_fields[name].metadata
    low, high = (
        next(float(getattr(each, end)) for each in bounds if hasattr(each, end))
        for end in ("ge", "le")
    )
    now = getattr(told, name)
    return low, math.sqrt(low * high) if now is None else now, high
