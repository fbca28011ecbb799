"""Annotations of local files: read with them, written for what is made of them."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

import click
import msgspec

from mediamill.annotations import formats
from mediamill.annotations.book import Book
from mediamill.annotations.checks import Annotated, checked
from mediamill.annotations.index import FileFacts, Index
from mediamill.annotations.layout import laid_out
from mediamill.annotations.model import ImageAnnotations
from mediamill.annotations.tree import split_of
from mediamill.annotations.write import Format, Losses, Pictured
from mediamill.cli.local.layout import Layout
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.inputs import Input
from mediamill.core.errors import InvalidInput
from mediamill.media import annotated
from mediamill.media.sniff import HEAD, sniff
from mediamill.operations.work import Output

SHOWN = 20
"""Findings that are printed; the rest is counted."""


class Takes(Protocol):
    """What `write` writes to (`targets.py`)."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a text that is about all of it."""


@dataclass
class Marking:
    """A set that was read, and what became of it."""

    form: Format
    book: Book
    contents: Mapping[Path, bytes]
    """Encoded annotations by the path of their file."""
    splits: Mapping[Path, str]
    losses: Losses = field(default_factory=Losses)
    _made: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def __post_init__(self) -> None:
        self.layout = Layout(self.form, self.splits)

    def add(self, source: Path, made: Iterable[tuple[str, Output]]) -> None:
        """Note what is marked on pictures that were made of one, by their places."""
        for name, output in made:
            if not output.media_type.startswith("image/"):
                continue
            if output.annotations:
                content = ImageAnnotations.decode(output.annotations)
            else:
                content = ImageAnnotations(int(output.info["width"]), int(output.info["height"]))
            split = self.layout.split(source)
            picture = Pictured(self.layout.path(source, name), content, split)
            self._made.write(msgspec.json.encode(picture) + b"\n")

    def write(self, target: Takes) -> None:
        """Write the annotations of all that was made, in the format they came in.

        Where no picture was made there is nothing to write.
        """
        if self._made.tell():
            book = self.book
            files = laid_out(self.form, book.categories, self._pictures, book.document, self.losses)
            for name, chunks in files:
                target.write(name, chunks)
            say_losses(self.form, self.losses)
        self._made.close()

    def _pictures(self, split: str | None) -> Iterator[Pictured]:
        """Go through what was made, of one split or of all; one such walk at a time."""
        self._made.seek(0)
        pictures = (msgspec.json.decode(line, type=Pictured) for line in self._made)
        return (picture for picture in pictures if split in (None, picture.split))


@dataclass(frozen=True)
class LocalSet:
    """A set that is being read; the index, which lists what is wrong, is whole after `found`."""

    form: Format
    book: Book
    found: Iterator[Annotated]
    """What is right of it, picture by picture."""
    index: Index


def read_marks(path: Path, inputs: Sequence[Input], *, skip_invalid: bool) -> Marking:
    """Read a set about inputs; raises `Failure` when something of it is wrong."""
    places = {str(number): item.path for number, item in enumerate(inputs)}
    contents: dict[Path, bytes] = {}
    splits: dict[Path, str] = {}
    with read_local(path, lambda: _facts(inputs)) as one:
        for picture in one.found:
            contents[places[picture.file]] = picture.content.encode()
            splits[places[picture.file]] = picture.split
        refuse_errors(path, one.index, skip_invalid=skip_invalid)
        splits |= _by_folder(path, [item for item in inputs if item.path not in splits], splits)
        return Marking(one.form, one.book, contents, splits)


def _by_folder(
    path: Path, rest: Iterable[Input], splits: Mapping[Path, str]
) -> Iterator[tuple[Path, str]]:
    """Yield the splits of inputs that a split set says nothing of, told by their folders.

    Pictures without objects may have no labels; those in `images/val` are none to train with.
    """
    root = (path if path.is_dir() else path.parent).resolve()
    for item in rest if any(splits.values()) else ():
        place = item.path.resolve()
        inside = place.relative_to(root) if place.is_relative_to(root) else item.folder / place.name
        yield item.path, split_of(inside.as_posix(), named=False)


@contextmanager
def read_local(
    path: Path, facts: Callable[[], Iterable[FileFacts]], form: Format | None = None
) -> Iterator[LocalSet]:
    """Read a set of a folder, a zip or a file; raises `Failure` where nothing of it can be.

    `facts` lists the files that it is about; where it lists none, those that the set describes are
    taken for them.
    """
    with tempfile.TemporaryDirectory(prefix="mediamill-") as folder:
        index = Index(Path(folder) / "index.db")
        try:
            with annotated.local(path) as tree:
                index.add_files(facts())
                chosen = formats.read(tree, index, form, lambda part: None)
            if not index.count("files"):
                index.adopt_images()
            ordered = sorted(index.categories.values(), key=lambda one: one.number)
            book = Book(document=index.document).with_added(ordered)
            yield LocalSet(chosen, book, checked(index), index)
        except InvalidInput as error:
            raise Failure(f"{path}: {error.message}") from None
        finally:
            index.close()


def refuse_errors(path: Path, index: Index, *, skip_invalid: bool) -> None:
    """Print what is wrong and raise `Failure`, unless it is to be left out."""
    if index.errors and not skip_invalid:
        say_findings(index)
        raise Failure(
            f"{path} has {index.errors:,} errors.", "Mend them, or leave them out: --skip-invalid."
        )


def _facts(inputs: Sequence[Input]) -> Iterator[FileFacts]:
    from mediamill.media.image.codecs.header import read_header

    for number, item in enumerate(inputs):
        name = (PurePosixPath(item.folder) / item.name).as_posix()
        with suppress(InvalidInput, OSError), item.path.open("rb") as stream:
            kind = sniff(stream.read(HEAD))
            stream.seek(0)
            header = read_header(stream, kind, name)
            yield FileFacts(str(number), name, header.width, header.height)


def say_findings(index: Index) -> None:
    """Print what is wrong, the first of it."""
    for one in index.findings[:SHOWN]:
        click.echo(f"{one.place}: {one.level}: {one.message}", err=True)
    if (more := sum(index.counts.values()) - SHOWN) > 0:
        counts = ", ".join(f"{count} {code}" for code, count in sorted(index.counts.items()))
        click.echo(f"… and {more:,} more: {counts}.", err=True)


def say_losses(form: str, losses: Losses) -> None:
    """Print what a format could not hold."""
    if losses.counts:
        counts = ", ".join(f"{count} × {what}" for what, count in sorted(losses.counts.items()))
        click.echo(f"{form} cannot hold all of it; left out: {counts}.", err=True)
