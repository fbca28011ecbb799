"""What each method can be told; a field is named as its method, or begins with its name."""

from typing import Literal, Self

from pydantic import Field, model_validator

from mediamill.operations.augment.ranges import (
    Area,
    Bits,
    Chance,
    Colour,
    Corner,
    Degrees,
    Enlargement,
    Factor,
    Half,
    Kernel,
    Method,
    Middle,
    Pixels,
    Quality,
    Ratio,
    Reach,
    Resolution,
    Share,
    Sigma,
    Signed,
    Slant,
    Smooth,
    Split,
    Twice,
)
from mediamill.operations.image import ImageOperation


class AugmentParameters(ImageOperation):
    """The parameters of `augment`; values are drawn evenly from the ranges."""

    methods: tuple[Method, ...] = Field(
        min_length=1,
        max_length=20,
        description="What to do to each copy, in this order.",
        json_schema_extra={"ordered": True},
    )
    copies: int = Field(1, ge=1, le=100, description="Changed copies of each image.")
    probability: dict[Method, Chance] = Field(
        {},
        description="How often a method is used, such as rotate=0.8. What is not named: 0.5 for "
        "flips, else 1.",
    )
    splits: tuple[Split, ...] = Field(
        ("train",),
        min_length=1,
        description="Splits that are changed; images of others pass as they are. Those in no "
        "split count as train.",
    )
    keep_original: bool = Field(False, description="Give the unchanged image too, as the first.")
    min_visibility: Chance = Field(
        0.1, description="An annotation that keeps a smaller share of its area is dropped."
    )
    border: Literal["constant", "replicate", "reflect"] = Field(
        "constant",
        description="What is beyond the picture: `fill`, its last pixels, or its mirror image.",
    )
    fill: Colour = Field(
        "#000000", description="Colour for border=constant; transparent where there is alpha."
    )
    interpolation: Literal["nearest", "linear", "cubic"] = Field(
        "linear", description="How moved pixels are sampled."
    )

    rotate: Degrees = Field((-20, 20), description="Degrees counter-clockwise.")
    scale: Enlargement = Field((0.5, 2), description="Factor about the centre.")
    translate: Half = Field(
        (-0.2, 0.2), description="Shares of width to the right and of height down."
    )
    shear: Slant = Field((-10, 10), description="Degrees of slant along x.")
    shear_vertical: Slant = Field((0, 0), description="Degrees of slant along y.")
    perspective: Corner = Field(
        (0, 0.15), description="Shares of width and height by which each corner moves inwards."
    )
    elastic: Reach = Field(
        (0.01, 0.03), description="Longest shift of a pixel, as a share of the shorter side."
    )
    elastic_smoothness: Smooth = Field(
        (0.06, 0.1), description="Sigma by which shifts are smoothed, as such a share."
    )
    random_crop: Pixels = Field(512, description="Side of the square cut out, or the picture's.")
    tile: Pixels = Field(512, description="Side of the squares that cover the picture.")

    brightness: Factor = Field((0.75, 1.5), description="Factor; 1 changes nothing.")
    contrast: Factor = Field((0.5, 1.5), description="Factor about the mean grey.")
    saturation: Factor = Field((0.1, 2), description="Factor; 0 is grey.")
    hue: Half = Field((-0.5, 0.5), description="Turn of the hue, in circles.")
    solarize: Share = Field((0.4, 0.6), description="Values from here on become negative.")
    solarize_addition: Half = Field((-0.1, 0.1), description="What is added before.")
    posterize: Bits = Field((3, 3), description="Bits that are kept, of eight.")

    gaussian_noise: Share = Field((0.1, 0.1), description="Standard deviation; 1 is white.")
    gaussian_noise_mean: Signed = Field((0, 0), description="Mean of the noise.")
    gaussian_blur: Sigma = Field((1, 10), description="Sigma in pixels.")
    gaussian_blur_kernel: Kernel = Field((3, 25), description="Pixels of the kernel, odd.")
    motion_blur: Kernel = Field((3, 15), description="Pixels of the line, odd.")
    motion_blur_angle: Degrees = Field(
        (-90, 90), description="Degrees of the line, counter-clockwise from the horizontal."
    )
    sharpness: Twice = Field((0.3, 0.7), description="0 is smooth, 1 the same, 2 sharper.")
    super_resolution: Resolution = Field(
        (0.25, 4), description="Factor of the resolution that it is brought to, and back."
    )
    jpeg_compression: Quality = Field((30, 90), description="Quality of JPEG.")
    erase: Area = Field((0.02, 0.33), description="Share of the area that is painted black.")
    erase_ratio: Ratio = Field((0.3, 3.3), description="Height of that part by its width.")
    mosaic: Middle = Field(
        (0.3, 0.7), description="Where four pictures meet, as shares of width and height."
    )
    mixup: Share = Field((0.2, 0.5), description="Share of another picture that is mixed in.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unused = [name for name in self.probability if name not in self.methods]
        if unused:
            raise ValueError(f"`probability` names {unused[0]}, which is not in `methods`")
        if "elastic" in self.methods and self.elastic[1] > self.elastic_smoothness[0] / 2:
            raise ValueError("`elastic` is at most half of `elastic_smoothness`, else pixels fold")
        return self
