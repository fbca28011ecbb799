"""Read the cells of an xlsx: values, dates as dates, formulas where they have no value.

Rows are lines, cells stand between tabs, each sheet under its name. Element names are those of
ECMA-376, part 1, 18; what a date is follows 18.8.30 and 18.17.4.1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mediamill.media.documents.package import Package
from mediamill.media.documents.types import XLSX
from mediamill.media.documents.xml import End, Start

_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Numbers of built-in formats of dates and times."""
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^]]*\]', re.IGNORECASE)
_DATE_LETTERS = re.compile(r"[dmyhs]", re.IGNORECASE)
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_GAP = 32
"""Empty cells between two that are shown as such; beyond, a cell is told by its place."""
_EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}  # noqa: DTZ001 - as Excel counts, without a zone
_LAST_DAY = 2_958_466
"""The day after 9999-12-31."""


@dataclass
class _Book:
    """What cells refer to."""

    strings: list[str] = field(default_factory=list)
    dates: frozenset[int] = frozenset()
    """Styles that show a number as a date."""
    since_1904: bool = False


@dataclass(slots=True)
class _Cell:
    reference: str = ""
    kind: str = "n"
    style: int = 0
    values: list[str] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)

    @property
    def value(self) -> str:
        return "".join(self.values)


@dataclass
class _Row:
    """The cells of a row so far, as a line."""

    parts: list[str] = field(default_factory=list)
    column: int = 1

    def add(self, cell: _Cell, book: _Book) -> None:
        shown = " ".join(_shown(cell, book).split())
        if not shown:
            return
        place = _column(cell.reference) or self.column + bool(self.parts)
        gap = place - self.column
        self.parts.append(f"\t{cell.reference}: {shown}" if gap > _GAP else "\t" * gap + shown)
        self.column = place


def lines(package: Package) -> Iterator[str]:
    """Yield the lines of all sheets, each sheet under its name; hidden ones say so."""
    main = package.main(XLSX)
    relations = package.relations(main)
    book = _Book(dates=_date_styles(package, main))
    for part in package.related(main, "sharedStrings")[:1]:
        book.strings = [*_strings(package, part)]
    sheets: list[tuple[str, str, bool]] = []
    for event in package.events(main):
        if not isinstance(event, Start):
            continue
        if event.tag == "workbookPr":
            book.since_1904 = event.attributes.get("date1904") in {"1", "true"}
        elif event.tag == "sheet" and (found := relations.get(event.attributes.get("r:id", ""))):
            hidden = event.attributes.get("state", "visible") != "visible"
            sheets.append((event.attributes.get("name", ""), found.target, hidden))
    for name, part, hidden in sheets:
        yield f"[sheet {name}{', hidden' if hidden else ''}]"
        yield from _rows(package, part, book)
        yield ""


def _strings(package: Package, part: str) -> Iterator[str]:
    """Yield the shared strings, without the phonetic readings of East Asian ones."""
    parts: list[str] = []
    path: list[str] = []
    for event in package.events(part):
        if isinstance(event, Start):
            path.append(event.tag)
            if event.tag == "si":
                parts = []
        elif isinstance(event, End):
            path.pop()
            if event.tag == "si":
                yield "".join(parts)
        elif path[-1:] == ["t"] and "rPh" not in path[-2:]:
            parts.append(event)


def _date_styles(package: Package, main: str) -> frozenset[int]:
    custom: set[int] = set()
    styles: list[int] = []
    inside = False
    for part in package.related(main, "styles")[:1]:
        for event in package.events(part):
            if event == End("cellXfs"):
                inside = False
            if not isinstance(event, Start):
                continue
            number = _number(event.attributes.get("numFmtId", ""))
            if event.tag == "numFmt" and _is_date(event.attributes.get("formatCode", "")):
                custom.add(number)
            elif event.tag == "cellXfs":
                inside = True
            elif event.tag == "xf" and inside:
                styles.append(number)
    return frozenset(n for n, form in enumerate(styles) if form in custom or form in _DATE_FORMATS)


def _is_date(code: str) -> bool:
    first = code.partition(";")[0]
    return bool(_DATE_LETTERS.search(_QUOTED.sub("", first)))


def _rows(package: Package, part: str, book: _Book) -> Iterator[str]:
    row, cell = _Row(), _Cell()
    path: list[str] = []
    for event in package.events(part):
        if isinstance(event, Start):
            path.append(event.tag)
            if event.tag == "c":
                told = event.attributes
                cell = _Cell(told.get("r", ""), told.get("t", "n"), _number(told.get("s", "0")))
        elif isinstance(event, str):
            _fill(cell, event, path)
        else:
            path.pop()
            if event.tag == "c":
                row.add(cell, book)
            elif event.tag == "row":
                if row.parts:
                    yield "".join(row.parts)
                row = _Row()


def _fill(cell: _Cell, text: str, path: list[str]) -> None:
    if "c" not in path[-4:]:
        return
    if path[-1] == "v" or (path[-1] == "t" and "rPh" not in path[-2:]):
        cell.values.append(text)
    elif path[-1] == "f":
        cell.formulas.append(text)


def _shown(cell: _Cell, book: _Book) -> str:
    """Return what a cell shows; raises nothing, whatever it says of itself."""
    if not cell.value:
        return "=" + "".join(cell.formulas) if cell.formulas else ""
    if cell.kind == "s":
        number = _number(cell.value)
        return book.strings[number] if 0 <= number < len(book.strings) else ""
    if cell.kind == "b":
        return "TRUE" if cell.value == "1" else "FALSE"
    return _numeric(cell, book) if cell.kind == "n" else cell.value


def _numeric(cell: _Cell, book: _Book) -> str:
    try:
        number = float(cell.value)
    except ValueError:
        return cell.value
    if cell.style in book.dates and 0 <= number < _LAST_DAY:
        return _date(number, since_1904=book.since_1904)
    return f"{number:.15g}" if abs(number) < 1e15 else cell.value


def _date(days: float, *, since_1904: bool) -> str:
    """Write a serial number as a date, a time, or both."""
    if days < 1 and not since_1904:
        seconds = round(days * 86_400)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    try:
        moment = _EPOCHS[since_1904] + timedelta(seconds=round(days * 86_400))
    except OverflowError:
        return f"{days:.15g}"
    return moment.date().isoformat() if days == int(days) else moment.isoformat(sep=" ")


def _column(reference: str) -> int:
    """Return the number of a cell's column, from 1; 0 where it does not say."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return 0
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
