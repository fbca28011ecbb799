"""What an operation on images is: a picture in, one or several out; the rest is done here.

    class Flip(ImageOperation):
        '''Mirror an image.'''

        axis: Literal["horizontal", "vertical"] = "horizontal"

        def apply(self, image: Picture, context: Context) -> Picture:
            return image.mirrored(self.axis)

    plugin = Flip

Images are decoded upright and in sRGB, once, pass through the steps that follow in the stage, and
are encoded once: a bounded iterator, whatever their number. Frames of a video come the same way.

Operations of ours import codecs when they run: servers know their parameters without, and functions
on Lambda have no room for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from mediamill.core.errors import UnsupportedMedia
from mediamill.media.archive.names import with_suffix
from mediamill.media.image.encoding import (
    EXTENSIONS,
    MEDIA_TYPES,
    QUALITIES,
    AnyFormat,
    Encoding,
)
from mediamill.media.image.formats import FORMATS
from mediamill.media.sniff import HEAD, sniff
from mediamill.operations.base import Context, MediaOperation, Operation, Outcome, Output, Source

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

OWN_FORMATS = ("jpeg", "png", "webp")
"""Formats that are written as they were read, where no step says otherwise."""


class ImageOperation(MediaOperation):
    """An operation on pixels: give it `apply`, or `apply_all` where one becomes several."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*",)
    gives: ClassVar[str] = "image/*"
    suffix: ClassVar[str] = ""
    """What is added to the stem of the input's name."""

    def apply(self, image: "Picture", context: Context) -> "Picture":
        """Return what the image becomes."""
        raise TypeError(f"{type(self).__name__} does not say what it does to an image")

    def apply_all(self, image: "Picture", context: Context) -> "Iterator[Picture]":
        """Yield what the image becomes, one after the other."""
        yield self.apply(image, context)

    def written_as(self) -> Encoding | None:
        """Return how the outcome is to be written; None leaves it as it came."""
        return None

    def needs(self, width: int, height: int) -> tuple[int, int]:
        """Return the least upright size that will do of an image; (0, 0) asks for all pixels."""
        return 0, 0

    def carries(self, step: Operation) -> bool:
        """Pass pictures on to other operations on images."""
        return isinstance(step, ImageOperation)

    def run(self, source: Source, context: Context) -> Outcome:
        """Write `{name}` with the extension of its format."""
        return self.run_through(source, context, ())

    def run_through(
        self, source: Source, context: Context, following: Sequence[MediaOperation]
    ) -> Outcome:
        """Write what becomes of one image in this and the following steps."""
        steps = (self, *image_steps(following))
        picture, media_type = self.picture(source, context)
        files = [
            _write(made, n, source.name, steps, media_type, context)
            for n, made in enumerate(through([picture], steps, context))
        ]
        context.progress(1.0)
        return Outcome(tuple(files), report=dict(files[0].info) if len(files) == 1 else {})

    def picture(self, source: Source, context: Context) -> "tuple[Picture, str]":
        """Decode a source, whose type is told by its content; return it with that type."""
        from mediamill.media.image.decode import decode
        from mediamill.media.image.header import read_header

        with source.open() as stream:
            media_type = sniff(stream.read(HEAD))
        if media_type not in FORMATS:
            raise UnsupportedMedia(f"{source.name} is no image that can be decoded: {media_type}")
        with source.open() as stream:
            header = read_header(stream, media_type, source.name)
        least = self.needs(header.width, header.height)
        return decode(source.open, header, source.name, at_least=least), media_type


def image_steps(steps: Iterable[Operation]) -> tuple[ImageOperation, ...]:
    """Return steps as what they are known to be; raises `TypeError` for another kind."""
    chosen = tuple(steps)
    for step in chosen:
        if not isinstance(step, ImageOperation):
            raise TypeError(f"{type(step).__name__} does not work on pictures")
    return cast("tuple[ImageOperation, ...]", chosen)


def through(
    pictures: "Iterable[Picture]", steps: Iterable[ImageOperation], context: Context
) -> "Iterator[Picture]":
    """Pass pictures through steps, one picture at a time; what is known of each stays with it."""
    for step in steps:
        pictures = _applied(pictures, step, context)
    yield from pictures


def _applied(
    pictures: "Iterable[Picture]", step: ImageOperation, context: Context
) -> "Iterator[Picture]":
    for picture in pictures:
        for made in step.apply_all(picture, context):
            made.info = {**picture.info, **made.info}
            yield made


def encoding_of(steps: Iterable[ImageOperation]) -> Encoding | None:
    """Return what the last step that has an opinion says about the format."""
    found = None
    for step in steps:
        found = step.written_as() or found
    return found


def own_encoding(media_type: str, picture: "Picture") -> Encoding:
    """Return how a picture of a type is written again: as that, else as PNG or JPEG by alpha."""
    form = media_type.removeprefix("image/")
    if form not in OWN_FORMATS:
        form = "png" if picture.array().shape[2] == 4 else "jpeg"
    return Encoding(cast("AnyFormat", form), QUALITIES[form])


def _write(
    picture: "Picture",
    n: int,
    name: str,
    steps: Sequence[ImageOperation],
    media_type: str,
    context: Context,
) -> Output:
    encoding = encoding_of(steps) or own_encoding(media_type, picture)
    ending = "".join(step.suffix for step in steps) + (f"-{n + 1}" if n else "")
    name = with_suffix(name, f"{ending}.{EXTENSIONS[encoding.form]}")
    with context.output(name, MEDIA_TYPES[encoding.form]) as writer:
        writer.write(encoding.write(picture))
        writer.info.update(picture.info, width=picture.width, height=picture.height)
    return writer.output
