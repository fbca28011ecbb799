"""convert: another format, quality or size, and nothing of the metadata.

Of an animation the first frame is taken. 16 bits per channel, of PNG and TIFF, are kept in PNG and
rounded to 8 in all else.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self, cast

from pydantic import Field, StringConstraints, model_validator

from mediamill.media.image.codecs.encoding import QUALITIES, AnyFormat, Encoding, fitted
from mediamill.operations.base import Context, Expected, SourceFacts
from mediamill.operations.image import ImageOperation

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
_SPARE = 2
"""How many times the wanted size a JPEG is decoded at least, so that shrinking it stays sharp."""
_DECODED_PER_SECOND = {"image/jpeg": 2e8}
_ENCODED_PER_SECOND = {"jpeg": 2e8, "png": 4e7, "webp": 1e7, "avif": 3e6}
"""Pixels that one core reads and writes in a second, roughly."""


class Convert(ImageOperation):
    """Write an image upright in sRGB, in another format, quality or size, without metadata."""

    version: ClassVar[int] = 4
    deep: ClassVar[bool] = True

    format: AnyFormat | None = Field(
        None,
        description="Image format; if left out the input's own if that is JPEG, PNG or WebP, else "
        "PNG where there is transparency and JPEG where there is none.",
    )
    quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Quality; if left out 85 for JPEG, 80 for WebP, 65 for AVIF. PNG has none.",
    )
    lossless: bool = Field(False, description="Write WebP without loss.")
    width: int | None = Field(None, ge=1, le=16_384, description="Fit inside this width.")
    height: int | None = Field(None, ge=1, le=16_384, description="Fit inside this height.")
    background: Colour | None = Field(
        None, description="Colour behind transparency, as #rrggbb; JPEG is given white if left out."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lossless and self.format != "webp":
            raise ValueError("lossless is for format=webp; PNG always is")
        if self.quality is not None and (self.format in (None, "png") or self.lossless):
            raise ValueError("quality needs a format that has one: jpeg, webp or avif")
        return self

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: decoding all pixels, encoding those that are left."""
        width, height = source.width or 1920, source.height or 1080
        left = fitted(width, height, self.width, self.height)
        decoded = width * height / _DECODED_PER_SECOND.get(source.media_type, 3e7)
        return 0.01 + decoded + left[0] * left[1] / _ENCODED_PER_SECOND[self.format or "webp"]

    def expect(self, source: SourceFacts) -> Expected:
        """Tell the size that fits; of one that is not known what it is fitted inside."""
        wide, high = source.width, source.height
        known = fitted(wide, high, self.width, self.height) if wide and high else None
        size = known or (self.width or 0, self.height or 0)
        return Expected(1, self.sized(source, *size))

    def apply(self, image: "Picture", context: Context) -> "Picture":
        """Return the picture scaled down to fit, and without transparency where that is asked."""
        small = image.fit(self.width, self.height)
        return small.flattened(_rgb(self.background)) if self.background else small

    def written_as(self) -> Encoding | None:
        """Return the format, if one is asked for."""
        if self.format is None:
            return None
        return Encoding(self.format, self.quality or QUALITIES[self.format], self.lossless)

    def needs(self, width: int, height: int) -> tuple[int, int]:
        """Return twice the wanted size, or all of an image that is smaller than that."""
        wide, high = fitted(width, height, self.width, self.height)
        return min(width, wide * _SPARE), min(height, high * _SPARE)


def _rgb(colour: str) -> tuple[int, int, int]:
    return cast("tuple[int, int, int]", tuple(bytes.fromhex(colour[1:])))


plugin = Convert
