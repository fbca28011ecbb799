"""How operations send pictures to models: prepared in a slot, within what the chain takes."""

from mediamill.adapters.providers.port import Image, Traits
from mediamill.media.archive.names import with_suffix
from mediamill.media.image.codecs.encoding import fitted
from mediamill.operations.asking import Prepared
from mediamill.operations.base import Context, Output, Source, SourceFacts

LONG_SIDE = 2048
"""Pixels of the longer side, which none that is sent exceeds whatever the chain takes."""
_DECODED_PER_SECOND = {"image/jpeg": 2e8}
_PIXELS_PER_SECOND = 3e7
"""Pixels that one core reads in a second, roughly."""


def limits(context: Context) -> tuple[int, int]:
    """Return the most pixels of a longer side and the most bytes of a picture that is sent."""
    agreed = context.agreed or {}
    long_side = min(LONG_SIDE, int(agreed.get("long_side", LONG_SIDE)))
    return long_side, int(agreed.get("image_bytes", Traits.image_bytes))


def sendable(source: Source, context: Context) -> Output:
    """Write a picture as it is sent; `info` has its `width` and `height`.

    JPEG without metadata (`media/image/sending.py`). Raises what `MediaOperation.run` does.
    """
    from mediamill.media.image.depth import limit_threads
    from mediamill.media.image.sending import MEDIA_TYPE
    from mediamill.media.image.sending import sendable as made

    limit_threads(context.threads)
    picture = made(source.open, source.size, source.name, *limits(context))
    with context.output(with_suffix(source.name, ".jpg"), MEDIA_TYPE) as writer:
        writer.write(picture.data)
        writer.info.update(width=picture.width, height=picture.height)
    return writer.output


def only_picture(prepared: Prepared) -> Image:
    """Read the picture that is sent, the first of what was prepared."""
    part = prepared.files[0].part()
    if not isinstance(part, Image):
        raise TypeError(f"{prepared.name} was not prepared as a picture")
    return part


def pictured(facts: SourceFacts) -> Image:
    """Return a picture without data, as large as an input will be sent; for estimates."""
    width, height = facts.width or LONG_SIDE, facts.height or LONG_SIDE
    return Image(b"", "image/jpeg", *fitted(width, height, LONG_SIDE, LONG_SIDE))


def cost(source: SourceFacts) -> float:
    """Estimate the seconds of one core that a picture takes until it can be sent."""
    pixels = (source.width or 1920) * (source.height or 1080)
    return 0.005 + pixels / _DECODED_PER_SECOND.get(source.media_type, _PIXELS_PER_SECOND)
