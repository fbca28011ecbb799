"""How a picture is written: passed on as it came, in a format that was asked for, or in its own."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from mediamill.media.image.codecs.encoding import QUALITIES, AnyFormat, Encoding
from mediamill.operations.base import Source

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

OWN_FORMATS = ("jpeg", "png", "webp")
"""Formats that are written as they were read, where no step says otherwise."""
LOSSLESS = frozenset({"image/bmp", "image/gif", "image/tiff"})
"""Formats that are read and not written, and whose pixels have lost nothing, as a rule."""
AGAIN = 95
"""Quality of a picture to which nothing was done and whose file cannot be passed on."""


def written(
    picture: "Picture", source: Source, media_type: str, told: Encoding | None, faithful: bool
) -> tuple[AnyFormat, bytes]:
    """Return the format and the bytes of a picture that was made of a source.

    What nothing was done to is the source's own file where that has no metadata to lose, or can
    lose it alone.
    """
    if told is None and picture.untouched:
        data = _passed_on(source, media_type)
        if data is not None:
            return cast("AnyFormat", media_type.removeprefix("image/")), data
    encoding = told or own_encoding(source, media_type, picture, faithful)
    return encoding.form, replace(encoding, grey=faithful).write(picture)


def own_encoding(
    source: Source, media_type: str, picture: "Picture", faithful: bool = False
) -> Encoding:
    """Return how a picture of a type is written again: as that, else as PNG or JPEG.

    PNG has alpha and 16 bits; with `faithful` it is also for what came without loss, and such a
    WebP stays so.
    """
    from mediamill.media.image.codecs.strip import lossless_webp

    form, pixels = media_type.removeprefix("image/"), picture.array()
    if form not in OWN_FORMATS:
        kept = faithful and media_type in LOSSLESS
        deep = pixels.shape[2] == 4 or pixels.dtype.itemsize == 2
        form = "png" if deep or kept else "jpeg"
    quality = AGAIN if picture.untouched else QUALITIES[form]
    lossless = faithful and form == "webp" and lossless_webp(source.read())
    return Encoding(cast("AnyFormat", form), quality, lossless)


def _passed_on(source: Source, media_type: str) -> bytes | None:
    """Return a source's file without metadata, if its pixels are upright and sRGB as they lie."""
    from mediamill.media.image.codecs.colour import is_srgb
    from mediamill.media.image.codecs.header import read_header
    from mediamill.media.image.codecs.strip import stripped
    from mediamill.media.image.orient import UPRIGHT

    with source.open() as stream:
        header = read_header(stream, media_type, source.name)
    srgb = header.profile is not None and is_srgb(header.profile)
    if header.orientation != UPRIGHT or (header.profile and not srgb) or header.frames > 1:
        return None
    return stripped(source.read(), media_type, srgb=srgb)
