"""The parameters of preprocess, and what goes together."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mediamill.operations.image import ImageOperation

Method = Literal[
    "auto-orient",
    "rotate-to-reference",
    "crop",
    "resize",
    "resize-to-reference",
    "denoise",
    "equalize-histogram",
    "normalize-contrast",
    "normalize-brightness",
    "normalize-saturation",
    "normalize-hue",
    "normalize-sharpness",
    "grayscale",
    "tile",
    "remove-outliers",
]
DEFAULT: tuple[Method, ...] = (
    "auto-orient",
    "rotate-to-reference",
    "resize-to-reference",
    "denoise",
    "equalize-histogram",
    "normalize-contrast",
    "normalize-brightness",
    "normalize-saturation",
    "normalize-hue",
    "normalize-sharpness",
    "remove-outliers",
)
COMPARING = frozenset({
    "rotate-to-reference", "resize-to-reference", "denoise", "normalize-contrast",
    "normalize-brightness", "normalize-saturation", "normalize-hue", "normalize-sharpness",
    "remove-outliers",
})  # fmt: skip
"""Methods that need to have seen the set."""

MAX_TILES = 100

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Side = Annotated[int, Field(ge=1, le=16_384)]
Offset = Annotated[int, Field(ge=0, le=100_000)]


class PreprocessParameters(ImageOperation):
    """What preprocess can be told."""

    methods: tuple[Method, ...] = Field(
        DEFAULT,
        min_length=1,
        max_length=20,
        description="What is done, in this order; crop, tile and grayscale only where named.",
        json_schema_extra={"ordered": True},
    )
    reference: str = Field(
        "auto",
        min_length=1,
        max_length=4_096,
        description="File to compare with; auto: the image whose numbers are the set's median.",
    )
    threshold: float = Field(
        0.75,
        ge=0,
        le=10,
        description="Correct what deviates from the reference by more (relative).",
    )
    width: Side | None = Field(None, description="Width that resize brings images to, in pixels.")
    height: Side | None = Field(None, description="Height, likewise; one follows the other.")
    fit: Literal["fit", "fill", "crop", "pad", "stretch"] = Field(
        "fit",
        description="How: inside the size, covering it, covering and cut, fitted and filled up, or "
        "bent.",
    )
    background: Colour = Field("#000000", description="Colour that pad fills up with, as #rrggbb.")
    crop: tuple[Offset, Offset, Side, Side] | None = Field(
        None, description="Left, top, width and height of the part that crop keeps, in pixels."
    )
    rows: int = Field(1, ge=1, le=100, description="Tiles above each other (tile).")
    columns: int = Field(1, ge=1, le=100, description="Tiles beside each other (tile).")
    overlap: float = Field(
        0.0, ge=0, le=0.9, description="Part of its side that a tile shares with the next (tile)."
    )
    equalization: Literal["global", "clahe"] = Field(
        "global", description="Over the whole image, or tile by tile (equalize-histogram)."
    )
    low_contrast: float = Field(
        0.35,
        ge=0,
        le=1,
        description="Equalize where the middle 98 % of grey span less of the range.",
    )
    strength: float | None = Field(
        None,
        ge=0.001,
        le=0.5,
        description="Noise that denoise takes off (standard deviation); if left out, what is "
        "measured, where that deviates.",
    )
    outlier_distance: float = Field(
        6.0,
        ge=1,
        le=100,
        description="How far from the median an image is marked, in robust standard deviations.",
    )
    min_visibility: float = Field(
        0.1, ge=0, le=1, description="Drop annotations of which less stays in the image."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sizes, resizing = (self.width, self.height), {"resize", "resize-to-reference"}
        if "resize" in self.methods and not any(sizes):
            raise ValueError("resize needs `width`, `height` or both")
        if any(sizes) and not resizing & set(self.methods):
            raise ValueError("`width` and `height` are for resize")
        if ("crop" in self.methods) != (self.crop is not None):
            raise ValueError("`crop` goes with the method crop: left, top, width, height")
        if ("tile" in self.methods) != (self.rows * self.columns > 1):
            raise ValueError("`rows` and `columns` go with the method tile; one is more than 1")
        if self.rows * self.columns > MAX_TILES:
            raise ValueError(f"an image is cut into at most {MAX_TILES} tiles: `rows` × `columns`")
        return self

    @property
    def comparing(self) -> frozenset[str]:
        """Methods that need the reference, or other numbers of the set."""
        told = {
            "resize-to-reference": bool(self.width or self.height),
            "denoise": self.strength is not None,
        }
        return frozenset(m for m in self.methods if m in COMPARING and not told.get(m))

    @property
    def surveys(self) -> bool:
        """Whether the set has to be seen first: not where all is told by parameters."""
        return bool(self.comparing)

    @property
    def references(self) -> tuple[str, ...]:
        """The file that is measured with the set, if one is named."""
        return (self.reference,) if self.surveys and self.reference != "auto" else ()


def shrunk(told: PreprocessParameters, factor: float) -> dict[str, Any]:
    """Return what is counted in pixels, for a picture of another size; none becomes 0 wide."""
    changed: dict[str, Any] = {
        name: side and max(1, round(side * factor))
        for name, side in (("width", told.width), ("height", told.height))
    }
    if told.crop is not None:
        left, upper, wide, high = told.crop
        across, down = _cut(left, wide, factor), _cut(upper, high, factor)
        changed["crop"] = (across[0], down[0], across[1], down[1])
    return changed


def _cut(begin: int, side: int, factor: float) -> tuple[int, int]:
    """Return where a part begins in another size, and its side; its end is not beyond the end."""
    end = max(1, int((begin + side) * factor + 1e-6))
    start = min(int(begin * factor), end - 1)
    return start, end - start
