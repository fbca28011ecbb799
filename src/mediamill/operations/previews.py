"""Previews: what an operation on images does, shown on a small copy of one image.

The image is shrunk while it is decoded, and what a step counts in pixels shrinks with it. Noise is
shown as strong as at full size, where looking from afar would soften it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mediamill.core.errors import InvalidInput
from mediamill.media.image.codecs.encoding import fitted
from mediamill.operations.base import Context, Measure, Outcome, Output, Source
from mediamill.operations.image import ImageOperation, Variant, through

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

SIDE = 320
"""Pixels of the longer side."""
QUALITY = 80


def previewed(
    step: ImageOperation, variants: Iterable[Variant], source: Source, context: Context
) -> Outcome:
    """Return small pictures: of the image as it is, then of variants of a step."""
    before, longest = _small(source, context)
    agreed = _agreed(step, before, source, context)
    files = [_written(before, context, {"place": "before"})]
    made: list[tuple[ImageOperation, Picture]] = []
    for variant in variants:
        picture = next((known for each, known in made if each == variant.step), None)
        if picture is None:
            shown = variant.step.shrunk(max(before.width, before.height) / longest)
            context.agreements = {id(shown): agreed} if agreed is not None else {}
            picture = _first(before, shown, context)
            made.append((variant.step, picture))
        files.append(_written(picture, context, _told(variant)))
    return Outcome(tuple(files))


def _first(before: "Picture", step: ImageOperation, context: Context) -> "Picture":
    made = next(through([before], (step,), context), None)
    if made is None:
        raise InvalidInput("With these parameters nothing comes of this image.")
    return made


def _told(variant: Variant) -> dict[str, object]:
    return {"parameter": variant.parameter, "place": variant.place, "value": variant.value}


def _written(picture: "Picture", context: Context, told: dict[str, object]) -> Output:
    small = picture.fit(SIDE, SIDE)
    with context.output("preview.jpg", "image/jpeg") as writer:
        writer.write(small.encode("jpeg", QUALITY))
        writer.info.update(told, width=small.width, height=small.height)
    return writer.output


def _small(source: Source, context: Context) -> "tuple[Picture, int]":
    """Return an image shrunk to fit, and its own longer side."""
    picture, _ = _Shrinking().picture(source, context)
    small = picture.fit(SIDE, SIDE)
    small.split, small.info = "", {}  # it is shown, whatever split it is in
    return small, max(source.width, source.height) or max(picture.width, picture.height)


def _agreed(
    step: ImageOperation, before: "Picture", source: Source, context: Context
) -> "dict[str, object] | None":
    """Return what a step that surveys agrees on from its references and this image alone."""
    if not step.surveys:
        return None
    if not source.partners:
        raise InvalidInput("Name a file as reference: a preview does not look at the whole set.")
    references = zip(step.references, source.partners, strict=True)
    pictures = [("", before), *((name, _small(one, context)[0]) for name, one in references)]
    measures = [
        Measure(n, file, file, images=(_measured(step, picture, context),))
        for n, (file, picture) in enumerate(pictures)
    ]
    return dict(step.reduce(iter(measures), context).data or {})


def _measured(step: ImageOperation, picture: "Picture", context: Context) -> dict[str, object]:
    """Return what is measured of a picture, as a survey has it."""
    known = {**picture.info, "width": picture.width, "height": picture.height}
    return {"info": known, **step.measure_picture(picture, context)}


class _Shrinking(ImageOperation):
    """Asks the decoder for no more than is shown."""

    def needs(self, width: int, height: int) -> tuple[int, int]:
        return fitted(width, height, SIDE, SIDE)
