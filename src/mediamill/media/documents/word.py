"""Read the text of a docx: paragraphs, tables, notes; what was deleted or hidden is not in it.

Headings begin with `#`, list items with `-`, as in Markdown; cells of a row stand between `|`.
Element names are those of ECMA-376, part 1, 17.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mediamill.media.documents.package import Package
from mediamill.media.documents.types import DOCX
from mediamill.media.documents.xml import End, Event, Start

_HEADING = re.compile(r"heading([1-6])", re.IGNORECASE)
_LISTED = re.compile(r"list(bullet|number)\d?", re.IGNORECASE)
"""Styles of Word's own; where they are translated a list has a number of its own, as a rule."""
_SKIPPED = frozenset({"del", "moveFrom", "Fallback", "delText", "instrText", "rPh"})
"""Deleted and moved text, what stands in for a drawing, codes of fields."""
_BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-"}
_WHERE_BROKEN = frozenset({"r", "p"})
"""A run of Word, a paragraph of PowerPoint."""
_NOTES = (("footnotes", "footnote"), ("endnotes", "endnote"), ("comments", "comment"))
_OFF = frozenset({"0", "false", "off"})
_EDGES = ("header", "footer")


def lines(package: Package) -> Iterator[str]:
    """Yield the lines of a document: headers and footers, the text, notes and comments."""
    main = package.main(DOCX)
    relations = [*package.relations(main).values()]
    for kind in _EDGES:
        parts = (found.target for found in relations if found.kind == kind)
        told = {"\n".join(paragraphs(package.events(part))).strip(): None for part in parts}
        yield from (f"[{kind}] {text}\n" for text in told if text)
    yield from paragraphs(package.events(main))
    for kind, element in _NOTES:
        for part in (found.target for found in relations if found.kind == kind):
            yield from _notes(package.events(part), element)


def _notes(found: Iterable[Event], element: str) -> Iterator[str]:
    """Yield footnotes, endnotes or comments, each with its number; separators are none."""
    stream = iter(found)
    for event in stream:
        if isinstance(event, Start) and event.tag == element:
            text = " ".join(paragraphs(_until(stream, element))).strip()
            if text and "type" not in event.attributes:
                yield f"[{element} {event.attributes.get('id', '')}] {text}"


def _until(stream: Iterator[Event], element: str) -> Iterator[Event]:
    """Yield the events up to the end of an element."""
    for event in stream:
        if isinstance(event, End) and event.tag == element:
            return
        yield event


@dataclass
class _Paragraph:
    parts: list[str] = field(default_factory=list)
    prefix: str = ""

    @property
    def text(self) -> str:
        return self.prefix + "".join(self.parts).strip("\n")


@dataclass
class _Table:
    row: list[str] = field(default_factory=list)
    cell: list[str] = field(default_factory=list)


@dataclass
class _Reader:
    """Where in the text a stream of events is."""

    path: list[str] = field(default_factory=list)
    open: list[_Paragraph] = field(default_factory=list)
    tables: list[_Table] = field(default_factory=list)
    skipping: int = 0
    hidden: bool = False

    def start(self, event: Start) -> None:
        """Take the beginning of an element."""
        parent = self.path[-1] if self.path else ""
        self.path.append(event.tag)
        if self.skipping or event.tag in _SKIPPED:
            self.skipping += 1
        elif event.tag == "p":
            self.open.append(_Paragraph())
        elif event.tag == "tbl":
            self.tables.append(_Table())
        elif event.tag == "r":
            self.hidden = False
        elif event.tag in _BREAKS and not self.hidden and parent in _WHERE_BROKEN:
            if parent == "r" or event.tag == "br":
                self._add(_BREAKS[event.tag])
        else:
            self._format(event, parent)

    def _format(self, event: Start, parent: str) -> None:
        value = event.attributes.get("val", "")
        if event.tag == "vanish" and self.path[-3:-1] == ["r", "rPr"]:
            self.hidden = value not in _OFF
        elif event.tag in {"footnoteReference", "endnoteReference"} and parent == "r":
            self._add(f"[{event.tag.removesuffix('Reference')} {event.attributes.get('id', '')}]")
        elif self.open and event.tag == "pStyle" and (level := _HEADING.fullmatch(value)):
            self.open[-1].prefix = "#" * int(level[1]) + " "
        elif self.open and not self.open[-1].prefix and _listed(event.tag, value):
            self.open[-1].prefix = "- "

    def text(self, text: str) -> None:
        """Take text, which counts inside `t` alone."""
        if not self.skipping and not self.hidden and self.path and self.path[-1] == "t":
            self._add(text)

    def _add(self, text: str) -> None:
        if self.open:
            self.open[-1].parts.append(text)

    def end(self, tag: str) -> str | None:
        """Take the end of an element; return a line that it completes."""
        self.path.pop()
        if self.skipping:
            self.skipping -= 1
            return None
        if tag == "p" and self.open:
            return self._put(self.open.pop().text)
        if not self.tables:
            return None
        table = self.tables[-1]
        if tag == "tc":
            table.row.append(" ".join(" ".join(table.cell).split()))
            table.cell = []
        elif tag == "tr":
            row, table.row = " | ".join(table.row), []
            return self._put(f"| {row} |", self.tables[:-1])
        elif tag == "tbl":
            self.tables.pop()
        return None

    def _put(self, line: str, tables: "list[_Table] | None" = None) -> str | None:
        """Put a line into the cell that it stands in; return it where it stands in none."""
        around = self.tables if tables is None else tables
        if not around:
            return line
        around[-1].cell.append(line)
        return None


def _listed(tag: str, value: str) -> bool:
    return tag == "numPr" or (tag == "pStyle" and _LISTED.fullmatch(value) is not None)


def paragraphs(found: Iterable[Event]) -> Iterator[str]:
    """Yield the paragraphs and the rows of tables of a part."""
    reader = _Reader()
    for event in found:
        if isinstance(event, Start):
            reader.start(event)
        elif isinstance(event, str):
            reader.text(event)
        elif (line := reader.end(event.tag)) is not None:
            yield line
