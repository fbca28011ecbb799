"""How pictures are written, and how large: what can be said without a codec."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

Format = Literal["jpeg", "png", "webp"]
AnyFormat = Literal["jpeg", "png", "webp", "avif"]

EXTENSIONS: dict[str, str] = {"jpeg": "jpg", "png": "png", "webp": "webp", "avif": "avif"}
MEDIA_TYPES: dict[str, str] = {form: f"image/{form}" for form in EXTENSIONS}
QUALITIES: dict[str, int] = {"jpeg": 85, "png": 100, "webp": 80, "avif": 65}
"""What is sensible where nobody says; the scales of the formats differ."""
LONGEST: dict[str, int] = {"jpeg": 65_500, "webp": 16_383, "avif": 65_536}
"""Pixels that a side may have in formats that have a limit."""
LOSSLESS = 101
"""What OpenCV takes for lossless WebP: anything over 100."""


@dataclass(frozen=True)
class Encoding:
    """How pictures are written. `lossless` is for WebP; PNG always is.

    With `grey` a picture that came as grey alone and has no colour is written so, where the format
    can: PNG and JPEG.
    """

    form: AnyFormat
    quality: int
    lossless: bool = False
    grey: bool = False

    def write(self, picture: "Picture") -> bytes:
        """Return the picture's file."""
        if self.grey and picture.grey and self.form in ("png", "jpeg"):
            from mediamill.media.image.codecs.encode import encode, without_colour

            plain = without_colour(picture.array())
            if plain is not None:
                return encode(plain, self.form, self.quality)
        if self.lossless and self.form == "webp":
            from mediamill.media.image.codecs.encode import encode

            return encode(picture.array(), "webp", LOSSLESS)
        return picture.encode(self.form, self.quality)


def fitted(
    width: int, height: int, most_wide: int | None, most_high: int | None
) -> tuple[int, int]:
    """Return the largest size of the same proportions inside the bounds, at most the given one."""
    scale = min(1.0, (most_wide or width) / width, (most_high or height) / height)
    return max(1, round(width * scale)), max(1, round(height * scale))
