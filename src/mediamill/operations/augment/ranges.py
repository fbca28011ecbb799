"""The kinds of parameters that methods have: pairs of ends between which values are drawn."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints

Method = Literal[
    "rotate", "scale", "translate", "shear", "horizontal-flip", "vertical-flip", "perspective",
    "elastic", "random-crop", "tile", "brightness", "contrast", "saturation", "hue", "solarize",
    "posterize", "grayscale", "channel-shuffle", "gaussian-noise", "gaussian-blur", "motion-blur",
    "sharpness", "super-resolution", "jpeg-compression", "erase", "mosaic", "mixup",
]  # fmt: skip
Split = Literal["train", "validation", "test"]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Chance = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=16, le=8192)]


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError("the lower end comes first")
    return ends


def _odd(ends: tuple[int, int]) -> tuple[int, int]:
    if not all(end % 2 for end in ends):
        raise ValueError("both ends are odd numbers")
    return ends


T = TypeVar("T")
Ends = Annotated[tuple[T, T], AfterValidator(_ordered)]
"""The lower and the upper end of a range from which something is drawn."""

Degrees = Ends[Annotated[float, Field(ge=-180, le=180)]]
Slant = Ends[Annotated[float, Field(ge=-45, le=45)]]
Enlargement = Ends[Annotated[float, Field(ge=0.1, le=3)]]
Factor = Ends[Annotated[float, Field(ge=0, le=3)]]
Twice = Ends[Annotated[float, Field(ge=0, le=2)]]
Half = Ends[Annotated[float, Field(ge=-0.5, le=0.5)]]
Share = Ends[Chance]
Signed = Ends[Annotated[float, Field(ge=-1, le=1)]]
Corner = Ends[Annotated[float, Field(ge=0, le=0.4)]]
Middle = Ends[Annotated[float, Field(ge=0.1, le=0.9)]]
Bits = Ends[Annotated[int, Field(ge=1, le=8)]]
_Kernel = Annotated[int, Field(ge=3, le=99, json_schema_extra={"step": 2})]
Kernel = Annotated[Ends[_Kernel], AfterValidator(_odd)]
Sigma = Ends[Annotated[float, Field(ge=0.1, le=50)]]
Quality = Ends[Annotated[int, Field(ge=1, le=100)]]
Resolution = Ends[Annotated[float, Field(ge=0.25, le=4)]]
Area = Ends[Annotated[float, Field(gt=0, le=1)]]
Ratio = Ends[Annotated[float, Field(ge=0.1, le=10)]]
Reach = Ends[Annotated[float, Field(ge=0, le=0.2)]]
Smooth = Ends[Annotated[float, Field(ge=0.02, le=0.5)]]
