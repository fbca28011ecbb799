"""The kinds of parameters that methods have: pairs of ends between which values are drawn."""

from typing import Annotated, Literal

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


Ordered = AfterValidator(_ordered)

_Turn = Annotated[float, Field(ge=-180, le=180)]
Degrees = Annotated[tuple[_Turn, _Turn], Ordered]
_Slant = Annotated[float, Field(ge=-45, le=45)]
Slant = Annotated[tuple[_Slant, _Slant], Ordered]
_Size = Annotated[float, Field(ge=0.1, le=3)]
Enlargement = Annotated[tuple[_Size, _Size], Ordered]
_Factor = Annotated[float, Field(ge=0, le=3)]
Factor = Annotated[tuple[_Factor, _Factor], Ordered]
_Twice = Annotated[float, Field(ge=0, le=2)]
Twice = Annotated[tuple[_Twice, _Twice], Ordered]
_Half = Annotated[float, Field(ge=-0.5, le=0.5)]
Half = Annotated[tuple[_Half, _Half], Ordered]
Share = Annotated[tuple[Chance, Chance], Ordered]
_Signed = Annotated[float, Field(ge=-1, le=1)]
Signed = Annotated[tuple[_Signed, _Signed], Ordered]
_Corner = Annotated[float, Field(ge=0, le=0.4)]
Corner = Annotated[tuple[_Corner, _Corner], Ordered]
_Middle = Annotated[float, Field(ge=0.1, le=0.9)]
Middle = Annotated[tuple[_Middle, _Middle], Ordered]
_Bits = Annotated[int, Field(ge=1, le=8)]
Bits = Annotated[tuple[_Bits, _Bits], Ordered]
_Kernel = Annotated[int, Field(ge=3, le=99, json_schema_extra={"step": 2})]
Kernel = Annotated[tuple[_Kernel, _Kernel], Ordered, AfterValidator(_odd)]
_Sigma = Annotated[float, Field(ge=0.1, le=50)]
Sigma = Annotated[tuple[_Sigma, _Sigma], Ordered]
_Quality = Annotated[int, Field(ge=1, le=100)]
Quality = Annotated[tuple[_Quality, _Quality], Ordered]
_Resolution = Annotated[float, Field(ge=0.25, le=4)]
Resolution = Annotated[tuple[_Resolution, _Resolution], Ordered]
_Area = Annotated[float, Field(gt=0, le=1)]
Area = Annotated[tuple[_Area, _Area], Ordered]
_Ratio = Annotated[float, Field(ge=0.1, le=10)]
Ratio = Annotated[tuple[_Ratio, _Ratio], Ordered]
_Reach = Annotated[float, Field(ge=0, le=0.2)]
Reach = Annotated[tuple[_Reach, _Reach], Ordered]
_Smooth = Annotated[float, Field(ge=0.02, le=0.5)]
Smooth = Annotated[tuple[_Smooth, _Smooth], Ordered]
