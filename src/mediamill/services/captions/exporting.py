"""Captions as files: a table, JSON lines, or `<img>` for a page; one line a picture.

What was rejected and asked about anew has its line where the new answer stands. HTML cannot tell
that something was rejected, so it has nothing of the kind. Who asks for a state gets all of it.
"""

import codecs
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from mediamill.captions.exporting import (
    Column,
    Entry,
    columns,
    csv_lines,
    image_tag,
    json_lines,
)
from mediamill.captions.model import VARIANTS, Variant
from mediamill.captions.model import Caption as Words
from mediamill.services.captions.choosing import Choice, Choosing
from mediamill.store.port import Store
from mediamill.store.repositories.captions import Caption, CaptionState
from mediamill.store.repositories.lookup import FileLookup

Form = Literal["csv", "jsonl", "html"]
MEDIA_TYPES: dict[Form, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "html": "text/plain; charset=utf-8",
}
"""HTML is given as text to be copied, and is never shown as a page."""
SUFFIXES: dict[Form, str] = {"csv": "csv", "jsonl": "jsonl", "html": "txt"}
REMEMBERED = 10_000
"""Archives whose names are kept while captions of their members are written."""


@dataclass(frozen=True)
class Export:
    """What is written: the form, and which variants; none for all."""

    form: Form = "csv"
    variants: tuple[Variant, ...] = ()

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.form]

    @property
    def name(self) -> str:
        """What the file is called."""
        what = "-".join(self.variants) or "captions"
        return f"{what}.{SUFFIXES[self.form]}"


async def written(choosing: Choosing, choice: Choice, export: Export) -> AsyncIterator[bytes]:
    """Yield the file's bytes; the captions are read twice, for a table's columns come first."""
    chosen = () if export.form == "html" else await _columns(choosing, choice, export)
    first, names = True, Names(choosing.store)
    async for row in _rows(choosing, choice, export):
        entry = entry_of(row, export.variants, await names.of(row))
        if export.variants and not entry.captions:
            continue
        for line in _lines(export.form, entry, chosen, first=first):
            yield line
        first = False
    if first:
        for line in _lines(export.form, None, chosen, first=True):
            yield line


@dataclass
class Names:
    """What pictures are called: members of an archive, such as frames, by its name and their path.

    By their own names the frames of two videos would be the same. Of archives with the same name
    the second is called `name-2`.
    """

    store: Store
    _folders: dict[str, str] = field(default_factory=dict)
    _taken: Counter[str] = field(default_factory=Counter)

    async def of(self, row: Caption) -> str:
        """Return the name of a row's picture; the id of an archive stands for one that is gone."""
        if not row.path:
            return row.name
        if row.file not in self._folders:
            if len(self._folders) == REMEMBERED:
                self._folders.clear()
                self._taken.clear()
            (archive,) = await FileLookup(self.store).get_many([row.file])
            name = PurePosixPath(archive.name).stem if archive else row.file
            self._taken[name] += 1
            number = self._taken[name]
            self._folders[row.file] = name if number == 1 else f"{name}-{number}"
        return f"{self._folders[row.file]}/{row.path}"


def entry_of(row: Caption, variants: Sequence[Variant] = (), name: str = "") -> Entry:
    """Return what is said of a picture, as it stands now; under its own name, or another."""
    captions = [Words.from_data(one) for one in row.captions]
    kept = [one for one in captions if not variants or one.variant in variants]
    return Entry(name or row.name, kept, row.labels, "" if row.state == "new" else row.state)


def tag(row: Caption, language: str = "") -> str:
    """Return `<img>` with the alt-text of a picture, else with the first caption that there is."""
    return _tag(entry_of(row), language)


async def _rows(choosing: Choosing, choice: Choice, export: Export) -> AsyncIterator[Caption]:
    async for row in choosing.walk(choice):
        if not _left_out(row, choice, export):
            yield row


def _left_out(row: Caption, choice: Choice, export: Export) -> bool:
    """Tell whether a row was rejected and has no line, though its choice takes it."""
    if row.state is not CaptionState.REJECTED or choice.state is not None:
        return False
    return export.form == "html" or (bool(row.again) and not choice.job and not choice.query)


async def _columns(choosing: Choosing, choice: Choice, export: Export) -> Sequence[Column]:
    """Find which columns there are."""
    found: dict[Column, None] = {}
    async for row in _rows(choosing, choice, export):
        found |= dict.fromkeys(columns(entry_of(row, export.variants).captions))
    languages = dict.fromkeys(language for _, language in found)
    return tuple(
        (variant, language)
        for language in languages
        for variant in VARIANTS
        if (variant, language) in found
    )


def _lines(
    form: Form, entry: Entry | None, chosen: Sequence[Column], *, first: bool
) -> Iterable[bytes]:
    entries = [] if entry is None else [entry]
    return _WRITERS[form](entries, chosen, first)


def _csv(entries: list[Entry], chosen: Sequence[Column], first: bool) -> Iterator[bytes]:
    header, *rows = csv_lines(entries, chosen)
    if first:
        yield codecs.BOM_UTF8 + header  # by which spreadsheets know that it is UTF-8
    yield from rows


def _json(entries: list[Entry], chosen: Sequence[Column], first: bool) -> Iterator[bytes]:
    return json_lines(entries, chosen)


def _html(entries: list[Entry], chosen: Sequence[Column], first: bool) -> Iterator[bytes]:
    for entry in entries:
        yield _tag(entry).encode(errors="replace") + b"\n"


def _tag(entry: Entry, language: str = "") -> str:
    fitting = [one for one in entry.captions if language in ("", one.language)]
    alt = next((one for one in fitting if one.variant == "alt-text"), None)
    plain = alt or next((one for one in fitting if one.text), None)
    return image_tag(entry.file, plain.text if plain else "")


_WRITERS: dict[Form, Callable[[list[Entry], Sequence[Column], bool], Iterator[bytes]]] = {
    "csv": _csv,
    "jsonl": _json,
    "html": _html,
}
