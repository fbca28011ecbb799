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

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NoReturn, Self, cast

from mediamill.annotations.model import ImageAnnotations
from mediamill.core.errors import LimitExceeded, UnsupportedMedia
from mediamill.media.archive.names import with_suffix
from mediamill.media.image.codecs.encoding import EXTENSIONS, MEDIA_TYPES, Encoding
from mediamill.media.image.codecs.formats import FORMATS
from mediamill.media.sniff import HEAD, sniff
from mediamill.operations.base import (
    Context,
    Expected,
    MediaOperation,
    Operation,
    Outcome,
    Output,
    Source,
    SourceFacts,
)
from mediamill.operations.writing import written

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

MAX_OUTPUTS = 200
"""Files that one image may become: its row names them all."""


class ImageOperation(MediaOperation):
    """An operation on pixels: give it `apply`, or `apply_all` where one becomes several."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*",)
    gives: ClassVar[str] = "image/*"
    most_outputs: ClassVar[int | None] = MAX_OUTPUTS
    suffix: ClassVar[str] = ""
    """What is added to the stem of the input's name."""
    deep: ClassVar[bool] = False
    """Whether it can work on 16 bits; pictures that have them keep them where all steps can."""
    faithful: ClassVar[bool] = False
    """Whether what came without loss is written without loss, where no step says otherwise."""

    def apply(self, image: "Picture", context: Context) -> "Picture":
        """Return what the image becomes."""
        raise TypeError(f"{type(self).__name__} does not say what it does to an image")

    def apply_all(self, image: "Picture", context: Context) -> "Iterator[Picture]":
        """Yield what the image becomes, one after the other."""
        yield self.apply(image, context)

    @property
    def applies(self) -> bool:
        """Whether it has `apply` or `apply_all`; a survey without is a report."""
        own = type(self)
        changed = own.apply is not ImageOperation.apply
        return changed or own.apply_all is not ImageOperation.apply_all

    def written_as(self) -> Encoding | None:
        """Return how the outcome is to be written; None leaves it as it came."""
        return None

    def needs(self, width: int, height: int) -> tuple[int, int]:
        """Return the least upright size that will do of an image; (0, 0) asks for all pixels."""
        return 0, 0

    def expect(self, source: SourceFacts) -> Expected | None:
        """Tell of one with `apply`; one with `apply_all` knows itself what several are."""
        if type(self).apply_all is not ImageOperation.apply_all:
            return None
        return Expected(1, self.sized(source, source.width, source.height))

    def sized(self, source: SourceFacts, width: int, height: int) -> SourceFacts:
        """Return what is known of a picture made of an input, of so many pixels."""
        written = self.written_as()
        kind = MEDIA_TYPES[written.form] if written else source.media_type
        kind = kind if kind.startswith("image/") else self.gives
        return SourceFacts(kind, 0, width, height, split=source.split)

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
        picture, media_type = self.picture(source, context, all(step.deep for step in steps))
        files = [
            _write(made, n, source, steps, media_type, context)
            for n, made in enumerate(through([picture], steps, context, source.partners))
            if n < MAX_OUTPUTS or _too_many(source.name)
        ]
        context.progress(1.0)
        return Outcome(tuple(files), report=dict(files[0].info) if len(files) == 1 else {})

    def pictures(
        self, source: Source, context: Context, following: Sequence[MediaOperation] = ()
    ) -> "Iterator[Picture]":
        """Yield what becomes of one image in this and the following steps; nothing is written."""
        steps = (self, *image_steps(following))
        picture, _ = self.picture(source, context, all(step.deep for step in steps))
        return through([picture], steps, context, source.partners)

    def originals(self, source: Source, context: Context) -> "Iterator[Picture]":
        """Yield the image as it is, at full size and, for a step that can, full depth."""
        yield self.picture(source, context, self.deep)[0]

    def shrunk(self, factor: float) -> Self:
        """Return the step with what it counts in pixels multiplied by a factor."""
        return self

    def whole(self) -> "Variant":
        """Return the step as it is, to be shown by one picture."""
        return Variant(self, "", "after")

    def variants(self) -> "Iterator[Variant]":
        """Yield what a preview shows: the step with some of its parameters at one place."""
        yield self.whole()

    def preview(self, source: Source, context: Context) -> Outcome:
        """Write a small picture of the image, and one for each variant."""
        from mediamill.operations.previews import previewed

        return previewed(self, self.variants(), source, context)

    def compare(self, source: Source, context: Context) -> Outcome:
        """Write a small picture of the image, and one of the whole."""
        from mediamill.operations.previews import previewed

        return previewed(self, [self.whole()], source, context)

    def picture(
        self, source: Source, context: Context, deep: bool = False
    ) -> "tuple[Picture, str]":
        """Decode a source, whose type is told by its content; return it with that type."""
        media_type = sniff(source.head(HEAD))
        return self.decoded(source, media_type, deep), media_type

    def decoded(self, source: Source, media_type: str, deep: bool = False) -> "Picture":
        """Decode a source of a type that is known; raises `UnsupportedMedia` for others."""
        from mediamill.media.image.codecs.decode import decode, examined
        from mediamill.media.image.orient import UPRIGHT

        if media_type not in FORMATS:
            raise UnsupportedMedia(f"{source.name} is no image that can be decoded: {media_type}")
        header, opening = examined(source.open, media_type, source.name)
        least = self.needs(header.width, header.height)
        picture = decode(opening, header, source.name, at_least=least, deep=deep)
        picture.digest, picture.split, picture.untouched = source.sha256, source.split, True
        picture.grey, picture.turned = header.grey, header.orientation != UPRIGHT
        if source.annotations:
            picture.annotations = ImageAnnotations.decode(source.annotations)
        return picture


@dataclass(frozen=True)
class Variant:
    """One picture of a preview."""

    step: ImageOperation
    parameter: str
    """Empty where it shows the step as it is."""
    place: str
    """`low`, `middle` or `high` of the parameter's range; `after` for the step as it is."""
    value: float | None = None


def told_apart(ends: tuple[float, float, float]) -> dict[float, str]:
    """Return where in a range its low end, middle and high end are; equal ones once."""
    places: dict[float, str] = {}
    for value, place in zip(ends, ("low", "middle", "high"), strict=True):
        places.setdefault(value, place)
    return places


def _too_many(name: str) -> NoReturn:
    message = f"{name} would become more than {MAX_OUTPUTS} files: ask for fewer copies or tiles."
    raise LimitExceeded(message)


def image_steps(steps: Iterable[Operation]) -> tuple[ImageOperation, ...]:
    """Return steps as what they are known to be; raises `TypeError` for another kind."""
    chosen = tuple(steps)
    for step in chosen:
        if not isinstance(step, ImageOperation):
            raise TypeError(f"{type(step).__name__} does not work on pictures")
    return cast("tuple[ImageOperation, ...]", chosen)


def through(
    pictures: "Iterable[Picture]",
    steps: Sequence[ImageOperation],
    context: Context,
    partners: Sequence[Source] = (),
) -> "Iterator[Picture]":
    """Pass pictures through steps, one picture at a time; what is known of each stays with it.

    A step that wants partners gets them as the steps before it make them.
    """
    from mediamill.media.image.depth import limit_threads

    limit_threads(context.threads)
    for place, step in enumerate(steps):
        wanted = partners[: step.partners] if step.partners else ()
        opening = [
            partial(_noted, n, source, steps, place, context) for n, source in enumerate(wanted)
        ]
        pictures = _applied(pictures, step, context.of(step, partners=opening))
    yield from pictures


def _noted(
    n: int, source: Source, steps: Sequence[ImageOperation], place: int, context: Context
) -> "Picture":
    """Return a partner; what keeps it from being used is noted and raised."""
    try:
        return _partner(source, steps, place, context)
    except Exception as error:
        context.left_out[n] = f"{type(error).__name__}: {error}"
        raise


def _partner(
    source: Source, steps: Sequence[ImageOperation], place: int, context: Context
) -> "Picture":
    """Return another picture of the set as it comes to the step at a place."""
    picture, _ = steps[0].picture(source.verified(), context, all(step.deep for step in steps))
    return next(through([picture], steps[:place], context))


def _applied(
    pictures: "Iterable[Picture]", step: ImageOperation, context: Context
) -> "Iterator[Picture]":
    for picture in pictures:
        for n, made in enumerate(step.apply_all(picture, context)):
            made.info = {**picture.info, **made.info}
            made.untouched = made.untouched and made is not picture
            made.split = made.split or picture.split
            if made.digest in ("", picture.digest):
                made.digest = _digest_of(picture.digest, n, drawn=step.draws)
            yield made


def _digest_of(digest: str, n: int, *, drawn: bool) -> str:
    """Return what the draws of later steps go by: no two of them may draw the same for a picture.

    So it is another one after a step that draws; any other step leaves it to its first picture.
    """
    if drawn:
        return derived(digest, f"drawn/{n}")
    return derived(digest, n) if n else digest


def derived(digest: str, part: int | str) -> str:
    """Return what the draws go by of a part of a picture or video: SHA-256 of both."""
    return hashlib.sha256(f"{digest}/{part}".encode()).hexdigest()


def encoding_of(steps: Iterable[ImageOperation]) -> Encoding | None:
    """Return what the last step that has an opinion says about the format."""
    found = None
    for step in steps:
        found = step.written_as() or found
    return found


def _write(
    picture: "Picture",
    n: int,
    source: Source,
    steps: Sequence[ImageOperation],
    media_type: str,
    context: Context,
) -> Output:
    faithful = any(step.faithful for step in steps)
    form, data = written(picture, source, media_type, encoding_of(steps), faithful)
    ending = "".join(step.suffix for step in steps) + (f"-{n + 1}" if n else "")
    name = with_suffix(source.name, f"{ending}.{EXTENSIONS[form]}")
    with context.output(name, MEDIA_TYPES[form]) as writer:
        writer.write(data)
        writer.info.update(picture.info, width=picture.width, height=picture.height)
        if picture.annotations is not None:
            writer.annotations = picture.annotations.encode()
    return writer.output
