"""thumbnail: one small picture of an image or a video."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from mediamill.core.errors import UnsupportedMedia
from mediamill.media.image.codecs.encoding import Encoding, Format, fitted
from mediamill.media.image.codecs.formats import FORMATS
from mediamill.media.sniff import HEAD, sniff
from mediamill.operations.base import Context, Expected, Source, SourceFacts
from mediamill.operations.image import ImageOperation

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture


class Thumbnail(ImageOperation):
    """Make a small upright sRGB picture of an image or a video, without its metadata."""

    version: ClassVar[int] = 4
    accepts: ClassVar[tuple[str, ...]] = ("image/*", "video/*")
    suffix: ClassVar[str] = "-thumbnail"

    size: int = Field(300, ge=16, le=2048, description="Pixels of the longer side, at most.")
    format: Format = Field("jpeg", description="Image format; JPEG shows transparency as white.")
    quality: int = Field(80, ge=1, le=100, description="Quality of JPEG and WebP.")

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: most of them go into decoding."""
        if source.media_type == "image/jpeg":
            return 0.01 + source.width * source.height / 3e8
        return 0.02 + (source.width or 1920) * (source.height or 1080) / 3e7

    def expect(self, source: SourceFacts) -> Expected:
        """Tell the size of the thumbnail."""
        known = source.width and source.height
        size = self.needs(source.width, source.height) if known else (self.size, self.size)
        return Expected(1, self.sized(source, *size))

    def apply(self, image: "Picture", context: Context) -> "Picture":
        """Return the picture scaled down."""
        return image.fit(self.size, self.size)

    def written_as(self) -> Encoding:
        """Return the format that was asked for."""
        return Encoding(self.format, self.quality)

    def needs(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of the thumbnail."""
        return fitted(width, height, self.size, self.size)

    def picture(
        self, source: Source, context: Context, deep: bool = False
    ) -> "tuple[Picture, str]":
        """Return the image, or a frame that represents the video, and the source's type."""
        media_type = sniff(source.head(HEAD))
        if media_type.startswith("video/"):
            from mediamill.media.video.poster import poster

            picture = poster(source.open, source.name, self.size, context.threads)
            picture.info = {}
            return picture, media_type
        if media_type not in FORMATS:
            raise UnsupportedMedia(f"{source.name} is neither image nor video: {media_type}")
        return self.decoded(source, media_type, deep), media_type


plugin = Thumbnail
