"""thumbnail: one small picture of an image or a video."""

from typing import ClassVar

from pydantic import Field

from mediamill.core.errors import UnsupportedMedia
from mediamill.media.archive.names import with_suffix
from mediamill.media.image.decode import decode
from mediamill.media.image.encode import EXTENSIONS, MEDIA_TYPES, Format
from mediamill.media.image.header import FORMATS, read_header
from mediamill.media.image.picture import Picture, fitted
from mediamill.media.sniff import HEAD, sniff
from mediamill.media.video.poster import poster
from mediamill.operations.base import Context, MediaOperation, Outcome, Source, SourceFacts


class Thumbnail(MediaOperation):
    """Make a small upright sRGB picture of an image or a video, without its metadata."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*", "video/*")

    size: int = Field(300, ge=16, le=2048, description="Pixels of the longer side, at most.")
    format: Format = Field("jpeg", description="Image format; JPEG shows transparency as white.")
    quality: int = Field(80, ge=1, le=100, description="Quality of JPEG and WebP.")

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: most of them go into decoding."""
        if source.media_type == "image/jpeg":
            return 0.01 + source.width * source.height / 3e8
        return 0.02 + (source.width or 1920) * (source.height or 1080) / 3e7

    def run(self, source: Source, context: Context) -> Outcome:
        """Write `{name}-thumbnail.jpg`, or with the extension of the format."""
        picture = self.picture(source, context)
        data = picture.encode(self.format, self.quality)
        name = with_suffix(source.name, f"-thumbnail.{EXTENSIONS[self.format]}")
        size = {"width": picture.width, "height": picture.height}
        with context.output(name, MEDIA_TYPES[self.format]) as writer:
            writer.write(data)
            writer.info.update(size)
        context.progress(1.0)
        return Outcome((writer.output,), report=size)

    def picture(self, source: Source, context: Context) -> Picture:
        """Return the small picture of a source, whose type is told by its content."""
        with source.open() as stream:
            media_type = sniff(stream.read(HEAD))
        if media_type.startswith("video/"):
            return poster(source.open, source.name, self.size, context.threads)
        if media_type not in FORMATS:
            raise UnsupportedMedia(f"{source.name} is neither image nor video: {media_type}")
        return self._of_image(source, media_type)

    def _of_image(self, source: Source, media_type: str) -> Picture:
        with source.open() as stream:
            header = read_header(stream, media_type, source.name)
        target = fitted(header.width, header.height, self.size, self.size)
        picture = decode(source.open, header, source.name, at_least=target)
        return picture.fit(self.size, self.size)


plugin = Thumbnail
