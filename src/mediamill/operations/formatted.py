"""Operations on images that are for whole sets: they write what they are told, and lose nothing."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from mediamill.media.image.codecs.encoding import QUALITIES, AnyFormat, Encoding
from mediamill.operations.image import ImageOperation


class Formatted(ImageOperation):
    """The parameters that say how images are written."""

    faithful: ClassVar[bool] = True

    format: AnyFormat | None = Field(
        None,
        description="Image format; if left out the input's own if that is JPEG, PNG or WebP, PNG "
        "for BMP, GIF, TIFF and where there is transparency, else JPEG.",
    )
    quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Quality; if left out 85 for JPEG, 80 for WebP, 65 for AVIF. PNG has none.",
    )

    @model_validator(mode="after")
    def _of_a_format(self) -> Self:
        if self.quality is not None and self.format in (None, "png"):
            raise ValueError("quality needs a format that has one: jpeg, webp or avif")
        return self

    def written_as(self) -> Encoding | None:
        """Return the format, if one is asked for."""
        if self.format is None:
            return None
        return Encoding(self.format, self.quality or QUALITIES[self.format])
