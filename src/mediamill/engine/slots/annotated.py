"""Read a set of annotations that somebody sent, and lay it beside the files that it is about.

What comes out are three lists in scratch files: `annotated.jsonl` with a picture per line (its
file, path, split, annotations), `findings.jsonl` with what is wrong, `book.json` with categories
and what the set says of itself. The outcome's data counts them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import msgspec

from mediamill.annotations import formats
from mediamill.annotations.book import Book
from mediamill.annotations.checks import checked
from mediamill.annotations.index import FileFacts, Index
from mediamill.core.errors import InvalidInput
from mediamill.media.annotated import ZIP, Zip
from mediamill.operations.work import Context, Outcome, Output, Source

LINES = "application/x-ndjson"
READ = 0.6
"""The part of the work that reading is; the rest is checking."""


class Single:
    """One file as a tree, named so that its format shows, as its first letter tells it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        with source.open() as stream:
            first = stream.read(1 << 10).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        ending = {b"{": ".json", b"[": ".json", b"<": ".xml"}.get(first, ".txt")
        stem = source.name.rpartition("/")[2]
        self._name = stem if stem.lower().endswith(ending) else f"{stem}{ending}"

    @property
    def sizes(self) -> Mapping[str, int]:
        return {self._name: self._source.size}

    def open(self, path: str) -> BinaryIO:
        return self._source.open()


def read_set(form: str, source: Source, context: Context) -> Outcome:
    """Read a set in a format, empty for whichever it is in.

    Its partners are the list of the files, and the book of the project that it is to be put on.
    Raises `InvalidInput` where nothing of it can be read.
    """
    files, known = source.partners
    index = Index(context.scratch / "annotations.db", _book(known).categories)
    try:
        index.add_files(_facts(files))
        found = _read(form, source, index, context)
        output, images, objects = _written(index, context)
        findings = _lines(context, "findings.jsonl", map(msgspec.json.encode, index.findings))
        book = Book(document=index.document).with_added(index.categories.values())
        made = (output, findings, _lines(context, "book.json", [msgspec.json.encode(book)]))
    finally:
        index.close()
        (context.scratch / "annotations.db").unlink(missing_ok=True)
    counts = {
        "format": found,
        "images": images,
        "annotations": objects,
        "errors": index.errors,
        "warnings": sum(index.counts.values()) - index.errors,
        "findings": index.counts,
        "categories": len(index.categories),
    }
    return Outcome(made, counts)


def _read(form: str, source: Source, index: Index, context: Context) -> str:
    chosen = msgspec.convert(form or None, formats.AnyForm | None)
    with source.open() as stream:
        zipped = stream.read(len(ZIP)) == ZIP
        try:
            tree = Zip(stream) if zipped else Single(source)
            return formats.read(tree, index, chosen, lambda part: context.progress(READ * part))
        except InvalidInput as error:
            error.message = f"{source.name}: {error.message}"
            raise


def _book(source: Source) -> Book:
    with source.open() as stream:
        return msgspec.json.decode(stream.read(), type=Book)


def _facts(listed: Source) -> Iterator[FileFacts]:
    decoder = msgspec.json.Decoder(FileFacts)
    with listed.open() as stream:
        for line in stream:
            yield decoder.decode(line)


def _written(index: Index, context: Context) -> tuple[Output, int, int]:
    images = objects = 0
    total = max(1, index.count("images"))

    def lines() -> Iterator[bytes]:
        nonlocal images, objects
        for one in checked(index):
            images, objects = images + 1, objects + len(one.content.annotations)
            context.progress(READ + (1 - READ) * images / total)
            yield msgspec.json.encode(one)

    return _lines(context, "annotated.jsonl", lines()), images, objects


def _lines(context: Context, name: str, lines: Iterable[bytes]) -> Output:
    with context.output(name, LINES) as writer:
        for line in lines:
            writer.write(line + b"\n")
    return writer.output
