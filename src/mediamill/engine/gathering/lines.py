"""Read a manifest: text that lists a job's inputs, one a line.

    file_01KAHR…                                    a file id
    file_01KAHR…,front.jpg                          … and the name it goes by
    {"file": "file_01KAHR…", "name": "front.jpg"}   the same as JSON
    {"archive": "file_01KB…", "path": "a/7.jpg"}    a member of an archive

Blank lines and those that begin with `#` are passed over. A first line that names columns (`file`,
`name`, `archive`, `path`; others are ignored) makes it a CSV file with a header. UTF-8.
"""

import csv
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from pydantic_core import from_json

from mediamill.blobs.port import Blobs
from mediamill.core.errors import InvalidInput

MAX_LINE = 16_384
"""Bytes of a line; far more than an id, a name and a path take."""

COLUMNS = ("file", "name", "archive", "path")

_ID = re.compile(r"[A-Za-z0-9_-]+")
"""What needs no quoting in CSV: the whole line where it is the id of a file."""


class Asked(msgspec.Struct, frozen=True):
    """What one line asks for: a file, or a member of an archive; or why it asks for neither."""

    number: int
    shown: str
    """What the line says, for people."""
    file: str = ""
    name: str = ""
    archive: str = ""
    path: str = ""
    wrong: str = ""


class Position(msgspec.Struct, frozen=True):
    """The place behind a line: bytes and lines read so far, and the columns if they are known.

    `columns` is None before the first line that says something, empty where there is no header.
    """

    offset: int = 0
    number: int = 0
    columns: tuple[str, ...] | None = None

    def note(self) -> list[Any]:
        """Write it as JSON for a checkpoint."""
        return [self.offset, self.number, self.columns if self.columns is None else [*self.columns]]

    @classmethod
    def noted(cls, note: list[Any] | None) -> "Position":
        """Read a checkpoint; None is the beginning."""
        if note is None:
            return cls()
        offset, number, columns = note
        return cls(offset, number, None if columns is None else tuple(columns))


async def asked(
    blobs: Blobs, blob: str, size: int, position: Position, until: int | None = None
) -> AsyncIterator[tuple[Asked, Position]]:
    """Yield what each line from a position on asks for, and the position behind it.

    Ends with the line that reaches the offset `until`, in bytes. Holds one chunk of the text at a
    time. Raises `InvalidInput` for a line that is too long.
    """
    async for line in _lines(blobs, blob, size, position):
        offset, number = position.offset + len(line), position.number + 1
        found, columns = _read(line, number, position.columns)
        position = Position(offset, number, columns)
        if found is not None:
            yield found, position
        if until is not None and offset >= until:
            return


async def _lines(blobs: Blobs, blob: str, size: int, position: Position) -> AsyncIterator[bytes]:
    """Yield lines with their ends; the last may have none."""
    rest, number = b"", position.number
    if position.offset < size:
        async for chunk in blobs.read(blob, position.offset, size):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                number += 1
                yield _bounded(line, number) + b"\n"
            _bounded(rest, number + 1)
    if rest:
        yield rest


def _bounded(line: bytes, number: int) -> bytes:
    if len(line) > MAX_LINE:
        raise InvalidInput(f"Line {number} of the manifest has more than {MAX_LINE:,} bytes.")
    return line


def _read(
    line: bytes, number: int, columns: tuple[str, ...] | None
) -> tuple[Asked | None, tuple[str, ...] | None]:
    """Read one line; returns None for one that asks for nothing, and the columns from here on."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError:
        return Asked(number, f"line {number}", wrong="it is not UTF-8"), columns
    if not text or text.startswith("#"):
        return None, columns
    if columns == () and _ID.fullmatch(text):
        return Asked(number, text[:200], file=text), columns
    if text.startswith("{"):
        return _of_json(text, number), columns or ()
    cells = next(csv.reader([text], strict=False), [])
    if columns is None:
        header = tuple(cell.strip().lower() for cell in cells)
        if {"file", "archive"} & {*header}:
            return None, header
        columns = ()
    named = dict(zip(columns or ("file", "name"), cells, strict=False))
    return _of_fields(named, text, number), columns


def _of_json(text: str, number: int) -> Asked:
    try:
        value = from_json(text, allow_inf_nan=False, cache_strings=False)
    except (ValueError, RecursionError):
        return Asked(number, text[:80], wrong="it is not JSON")
    unknown = sorted(value.keys() - {*COLUMNS}) if isinstance(value, dict) else []
    if unknown:
        return Asked(number, text[:80], wrong=f"“{unknown[0][:40]}” is not known here")
    return _of_fields(value, text, number)


def _of_fields(fields: Mapping[str, Any], text: str, number: int) -> Asked:
    """Take the known fields; each is text, and there is a file or an archive with a path."""
    given = {key: fields[key] for key in COLUMNS if fields.get(key) not in (None, "")}
    if not all(isinstance(value, str) and "\0" not in value for value in given.values()):
        return Asked(number, text[:80], wrong="an id, a name and a path are text")
    known = {key: value.strip() if key != "path" else value for key, value in given.items()}
    shown = known.get("name") or known.get("path") or known.get("file") or text
    if {*known} - {"name"} not in ({"file"}, {"archive", "path"}):
        wrong = "give a file, or an archive and a path"
        return Asked(number, text[:80], wrong=wrong)
    return Asked(number, shown[:200], **known)
