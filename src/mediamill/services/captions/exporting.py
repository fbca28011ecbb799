"""Captions as files: a table, JSON lines, or `<img>` for a page; one line a picture."""

import codecs
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from mediamill.store.repositories.captions import Caption

Form = Literal["csv", "jsonl", "html"]
MEDIA_TYPES: dict[Form, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "html": "text/plain; charset=utf-8",
}
"""HTML is given as text to be copied, and is never shown as a page."""
SUFFIXES: dict[Form, str] = {"csv": "csv", "jsonl": "jsonl", "html": "txt"}


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
    first = True
    async for row in choosing.walk(choice):
        entry = entry_of(row, export.variants)
        if export.variants and not entry.captions:
            continue
        for line in _lines(export.form, entry, chosen, first=first):
            yield line
        first = False
    if first:
        for line in _lines(export.form, None, chosen, first=True):
            yield line


def entry_of(row: Caption, variants: Sequence[Variant] = ()) -> Entry:
    """Return what is said of a picture, as it stands now."""
    captions = [Words.from_data(one) for one in row.captions]
    kept = [one for one in captions if not variants or one.variant in variants]
    return Entry(row.name, kept, row.labels, "" if row.state == "new" else row.state)


def tag(row: Caption, language: str = "") -> str:
    """Return `<img>` with the alt-text of a picture, else with the first caption that there is."""
    return _tag(entry_of(row), language)


async def _columns(choosing: Choosing, choice: Choice, export: Export) -> Sequence[Column]:
    """Find which columns there are."""
    found: dict[Column, None] = {}
    async for row in choosing.walk(choice):
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
