"""The table `figures`: its columns, its rows, and both as Parquet.

A column is only ever added, at the end, and then `VERSION` stays; what is renamed, or means
something else, makes another version, in folders of its own.
"""

import io
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mediamill.store.port import Store
from mediamill.store.repositories.figures import MEASURES, NAMED, UNDER, Figures

VERSION = 1
NAME = "figures"

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: a text or a whole number."""

    name: str
    kind: Literal["text", "number"]
    meaning: str


_NAMES = {
    "about": "what is counted: `files`, `removed`, `items`, `jobs` or `calls`",
    "customer": "whom the account is billed to; empty for nobody",
    "source": "how the file came: `upload`, `stream`, `import`; `result`: made by a job",
    "media_type": "of the file, or of an item's input",
    "operation": "steps that ran together, as `resize+flip`; of a job all of its steps",
    "provider": "of a call: whom was asked",
    "model": "of a call: which model",
    "status": "what became of it",
}
_MEASURES = {
    "count": "files, items, jobs or calls",
    "bytes": "of files, or of items' inputs",
    "items": "of jobs that ended",
    "results": "files that items made",
    "result_bytes": "of those",
    "timed": "of how many it is known how long they took",
    "milliseconds": "how long those took together",
    **{name: f"how many of them took at most {name[6:]}" for name in UNDER},
    "input_tokens": "of calls",
    "output_tokens": "of calls",
    "images": "that calls sent",
    "cost_microdollars": "of calls: millionths of a US dollar",
}
COLUMNS = (
    *(Column(name, "text", meaning) for name, meaning in _NAMES.items()),
    *(Column(name, "number", meaning) for name, meaning in _MEASURES.items()),
)
"""All but `day`, by which files are told apart."""
DAY = Column("day", "text", "UTC, as `2026-11-22`")
_STORED = {"cost_microdollars": "cost"}


@dataclass(frozen=True)
class DayOfRows:
    """All figures of a day, those with the same names as one row."""

    day: str
    turn: int
    """Grows whenever anything is counted on that day, and only then."""
    rows: Sequence[Row]


async def days(store: Store, first: str, last: str) -> AsyncIterator[DayOfRows]:
    """Visit the days `first … last` of which there are figures, the oldest first."""
    day, turn, sums = "", 0, dict[tuple[str, ...], Counter[str]]()
    async for row in Figures(store).walk(first, last):
        if row.day != day:
            if sums:
                yield DayOfRows(day, turn, _rows(day, sums))
            day, turn, sums = row.day, 0, {}
        turn += row.turn
        key = row.about.value, *(getattr(row, name) for name in NAMED)
        sums.setdefault(key, Counter()).update({name: getattr(row, name) for name in MEASURES})
    if sums:
        yield DayOfRows(day, turn, _rows(day, sums))


def _rows(day: str, sums: Mapping[tuple[str, ...], Counter[str]]) -> list[Row]:
    return [
        {"day": day, **dict(zip(_NAMES, key, strict=True))}
        | {name: sums[key][_STORED.get(name, name)] for name in _MEASURES}
        for key in sorted(sums)
        if sums[key]["count"]  # a row that was begun, and nothing counted in it yet
    ]


def arrow(rows: Sequence[Row], *, day: bool = False) -> Any:
    """Return rows as a `pyarrow.Table`, with their day as a date if that is asked for."""
    from datetime import date

    import pyarrow as pa  # type: ignore[import-untyped]  # has no types, nor stubs

    kinds = {"text": pa.string(), "number": pa.int64()}
    fields = [(one.name, kinds[one.kind]) for one in COLUMNS]
    columns = {one.name: [row[one.name] for row in rows] for one in COLUMNS}
    if day:
        fields = [(DAY.name, pa.date32()), *fields]
        columns[DAY.name] = [date.fromisoformat(row[DAY.name]) for row in rows]
    notes = {"mediamill.version": str(VERSION)}
    return pa.table(columns, schema=pa.schema(fields, metadata=notes))


def parquet(rows: Sequence[Row]) -> bytes:
    """Write the rows of a day, without it, as a Parquet file."""
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # likewise

    file = io.BytesIO()
    pq.write_table(arrow(rows), file, compression="zstd")
    return file.getvalue()
