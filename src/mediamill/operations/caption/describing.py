"""A copy of a picture that says what it shows, or a file beside it that does.

JPEG, PNG and WebP take the texts in (XMP), and lose all other metadata as everything does that is
made of a file. For other formats there is `{name}.xmp`, which programs that show pictures look for.
"""

from collections.abc import Iterable, Sequence

from mediamill.adapters.providers.port import Label
from mediamill.captions.model import Caption, Variant
from mediamill.core.errors import Forbidden
from mediamill.media.archive.names import safe_name, with_suffix
from mediamill.media.sniff import HEAD, sniff
from mediamill.media.xmp.embedding import EMBEDDING, embedded, pour
from mediamill.media.xmp.packet import Description, packet
from mediamill.operations.asking import Prepared, PreparedFile
from mediamill.operations.base import Context, Output, Source

SIDECAR = "application/rdf+xml"
"""What an XMP file is (ISO 16684-1, 7.3)."""
_TELLING: tuple[Variant, ...] = ("creative", "concise")
"""What becomes the description, the first of these that there is."""


def clean_copy(source: Source, context: Context) -> Output | None:
    """Write a file without its metadata; None where a file beside it will have to do."""
    from mediamill.media.privacy.cutting import plan

    with source.open() as stream:
        media_type = sniff(stream.read(HEAD))
    if media_type not in EMBEDDING:
        return None
    with source.open() as stream:
        try:
            cut = plan(stream, source.size, source.name)
        except Forbidden:  # nobody knows its metadata, and the picture is not encoded anew
            return None
        with context.output(safe_name(source.name), media_type) as writer:
            pour(stream, cut.parts, writer.write)
    return writer.output


def described(
    prepared: Prepared, captions: Sequence[Caption], labels: Iterable[Label], context: Context
) -> Output:
    """Write the copy with texts in it, or the file beside it; blocks while it does."""
    said = packet(description_of(captions, labels))
    copy = prepared.files[1] if len(prepared.files) > 1 else None
    return (copy and _embedded(copy, said, context)) or _beside(prepared.name, said, context)


def description_of(captions: Sequence[Caption], labels: Iterable[Label] = ()) -> Description:
    """Return what is written of captions and labels, each text under its language."""
    texts: dict[str, str] = {}
    for variant in _TELLING:
        for caption in captions:
            if caption.variant == variant:
                texts.setdefault(caption.language, caption.text)
    order = {language: n for n, language in enumerate(dict.fromkeys(c.language for c in captions))}
    alt = {one.language: one.text for one in captions if one.variant == "alt-text" and one.text}
    ordered = dict(sorted(texts.items(), key=lambda item: order[item[0]]))
    return Description(ordered, alt, [label.name for label in labels])


def _embedded(copy: PreparedFile, said: bytes, context: Context) -> Output | None:
    with copy.path.open("rb") as stream:
        parts = embedded(stream, copy.path.stat().st_size, copy.media_type, said)
        if parts is None:
            return None
        with context.output(copy.name, copy.media_type) as writer:
            pour(stream, parts, writer.write)
    return writer.output


def _beside(name: str, said: bytes, context: Context) -> Output:
    with context.output(with_suffix(name, ".xmp"), SIDECAR) as writer:
        writer.write(said)
    return writer.output
