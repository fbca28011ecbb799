"""What is sent of a file: its text, pictures of its pages, or itself where it is a picture."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mediamill.adapters.providers.port import Traits
from mediamill.core.errors import InvalidInput, LimitExceeded, UnsupportedMedia
from mediamill.media.archive.names import with_suffix
from mediamill.media.documents.gathering import gathered, too_long
from mediamill.media.documents.types import DOCX, OFFICE, OLD_OFFICE, PPTX, document_type
from mediamill.media.image.codecs.formats import FORMATS
from mediamill.media.sniff import PDF
from mediamill.operations.base import Context, Outcome, Output, Source
from mediamill.operations.sending import limits, sendable

if TYPE_CHECKING:
    from mediamill.media.documents.pdf import Document, PageText

Pages = Literal["auto", "text", "images"]
TAKES = "text, source code, PDF, docx, xlsx, pptx and pictures"
TEXT = "text/plain"
MOST_TEXT = 1_000_000
"""Bytes of text in one question, whatever the chain takes."""
SPARSE = 20
"""Letters and digits below which a page is no page of text: a scan with its number stamped on."""
_LETTER = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Room:
    """What may be sent of one input: bytes of text in UTF-8, and pictures."""

    text: int
    images: int

    @classmethod
    def of(cls, context: Context, taken: int) -> "Room":
        """Return what the chain takes beside what the question itself takes of it."""
        agreed = context.agreed or {}
        text = min(MOST_TEXT, int(agreed.get("input_bytes", Traits.input_bytes))) - taken
        return cls(max(0, text), int(agreed.get("images", Traits.images)))


def prepared(source: Source, context: Context, room: Room, pages: Pages, max_pages: int) -> Outcome:
    """Write what is sent of a file, in order: texts and pictures.

    The outcome's data says what kind of file it is, and the encoding of a text. Raises
    `UnsupportedMedia` for a file that is none of `TAKES`, `LimitExceeded` for one that has too
    much, `InvalidInput` for one that has nothing, `BrokenMedia`.
    """
    if not source.size:
        raise InvalidInput(f"{source.name} is empty.")
    kind = document_type(source.open)
    facts: dict[str, object] = {"kind": kind}
    if kind in FORMATS:
        _refuse_images(source.name, 1, room)
        files = [sendable(source, context)]
    elif kind == PDF:
        files, more = _pdf(source, context, room, pages, max_pages)
        facts |= more
    elif kind in OFFICE:
        files = [_text(_office(source, kind, room.text), source, context)]
    elif kind.startswith("text/"):
        text, facts["encoding"] = _plain(source, room.text)
        files = [_text(text, source, context)]
    else:
        raise _unsupported(source, kind)
    context.progress(1.0)
    return Outcome(tuple(files), facts, report=facts)


def _unsupported(source: Source, kind: str) -> UnsupportedMedia:
    with source.open() as stream:
        old = stream.read(len(OLD_OFFICE)) == OLD_OFFICE
    what = f"not {kind} ({source.name})"
    if old:
        what = (
            f"not Office documents of before 2007 or with a password ({source.name}): "
            "save it anew as docx, xlsx, pptx or PDF"
        )
    return UnsupportedMedia(f"prompt takes {TAKES}, {what}.", media_type=kind)


def _refuse_images(name: str, count: int, room: Room) -> None:
    if count <= room.images:
        return
    if not room.images:
        raise UnsupportedMedia(f"{name} would be sent as a picture; the model reads text only.")
    message = (
        f"{name} would be sent as {count:,} pictures; {room.images:,} can be sent. "
        "Split it, ask with pages=text, or choose another model."
    )
    raise LimitExceeded(message, limit=room.images, size=count)


def _plain(source: Source, most: int) -> tuple[str, str]:
    from mediamill.media.documents.plain import decoded

    if source.size > 4 * most + 4:  # no encoding takes more for what UTF-8 has in one byte
        raise too_long(source.name, most, source.size)
    text, encoding = decoded(source.read(), source.name)
    if (size := len(text.encode())) > most:
        raise too_long(source.name, most, size)
    return text, encoding


def _office(source: Source, kind: str, most: int) -> str:
    from mediamill.media.documents import sheets, slides, word
    from mediamill.media.documents.package import Package

    reader = word if kind == DOCX else slides if kind == PPTX else sheets
    with source.open() as stream:
        try:
            return gathered(reader.lines(Package(stream, source.name)), most, source.name)
        except InvalidInput as error:
            if not error.message.startswith(source.name):
                error.message = f"{source.name}: {error.message}."
            raise


def _text(text: str, source: Source, context: Context) -> Output:
    """Write a text; raises `InvalidInput` where it has no letters."""
    if not text.strip():
        raise InvalidInput(
            f"{source.name} has no text. Of office documents no pictures are sent: save it as PDF "
            "to have its pages looked at."
        )
    with context.output(source.name, TEXT) as writer:
        writer.write(text.encode())
    return writer.output


@dataclass
class _Pages:
    """The pages of a PDF, written one after the other: text is gathered up to the next picture."""

    source: Source
    context: Context
    most: int
    size: int = 0
    files: list[Output] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Take a line of text."""
        self.size += len(text.encode(errors="replace")) + 1
        if self.size > self.most:
            raise too_long(self.source.name, self.most)
        self.lines.append(text)

    def draw(self, document: "Document", number: int) -> None:
        """Take the picture of a page."""
        from mediamill.media.image.sending import MEDIA_TYPE, encoded

        self.flush()
        long_side, most_bytes = limits(self.context)
        picture = document.draw(number, long_side)
        name = with_suffix(self.source.name, f"-page-{number}.jpg")
        made = encoded(picture, name, long_side, most_bytes)
        with self.context.output(name, MEDIA_TYPE) as writer:
            writer.write(made.data)
            writer.info.update(width=made.width, height=made.height, page=number)
        self.files.append(writer.output)

    def flush(self) -> None:
        """Write the text so far."""
        if self.lines:
            with self.context.output(self.source.name, TEXT) as writer:
                writer.write(("\n".join(self.lines) + "\n").encode(errors="replace"))
            self.files.append(writer.output)
            self.lines = []


def _pdf(
    source: Source, context: Context, room: Room, pages: Pages, max_pages: int
) -> tuple[list[Output], dict[str, object]]:
    from mediamill.media.documents.pdf import opened

    with opened(source.read(), source.name) as document:
        if (count := len(document)) > max_pages:
            message = f"{source.name} has {count:,} pages, more than max_pages={max_pages:,}."
            raise LimitExceeded(message, limit=max_pages, size=count)
        texts = [*_texts(document, source.name, room.text, pages)]
        drawn = {page.number for page in texts if _drawn(page, pages)}
        _refuse_images(source.name, len(drawn), room)
        if not drawn and not any(page.text for page in texts):
            raise InvalidInput(f"{source.name} has no text; ask with pages=images to have it seen.")
        written = _Pages(source, context, room.text)
        for page in texts:
            written.add(f"[page {page.number}]")
            if page.text:
                written.add(page.text)
            if page.number in drawn:
                written.draw(document, page.number)
            context.progress(page.number / count)
        written.flush()
    return written.files, {"pages": count, "pictures": len(drawn)}


def _texts(document: "Document", name: str, most: int, pages: Pages) -> Iterator["PageText"]:
    from mediamill.media.documents.pdf import PageText

    left = most
    for number in range(1, len(document) + 1):
        if pages == "images":
            yield PageText(number, "", drawn=True, fields=False)
            continue
        page = document.text(number, left)
        left -= len(page.text.encode(errors="replace"))
        if left < 0:
            raise too_long(name, most)
        yield page


def _drawn(page: "PageText", pages: Pages) -> bool:
    """Tell whether a page is sent as a picture: in `auto` where its text does not tell it all."""
    if pages != "auto":
        return pages == "images"
    sparse = len(_LETTER.findall(page.text)) < SPARSE
    return page.drawn and (sparse or page.fields)
