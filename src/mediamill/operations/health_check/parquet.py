"""Write the table of a report as Parquet: a row for each picture and each broken input."""

from math import isnan
from typing import TYPE_CHECKING, Any

from mediamill.operations.health_check.table import NUMBERS, WORDS, Table

if TYPE_CHECKING:
    from mediamill.operations.health_check.repeats import Repeats

ROWS = 10_000
"""Rows that are made at a time."""
_WHOLE = ("width", "height", "size", "objects")


def write_table(file: Any, table: Table, found: "Repeats", outlying: dict[str, list[int]]) -> None:
    """Write the rows to a binary file; `outlying` names the numbers by which rows are outliers.

    `exact_group` and `near_group` number the groups of duplicates, null where there is none.
    """
    import pyarrow as pa  # type: ignore[import-untyped]  # has no types, nor stubs
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # likewise

    schema = _schema(pa)
    groups = {"exact_group": _by_row(found.exact), "near_group": _by_row(found.near)}
    reasons: dict[int, list[str]] = {}
    for name, far in outlying.items():
        for row in far:
            reasons.setdefault(row, []).append(name)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for start in range(0, max(1, len(table)), ROWS):
            rows = range(start, min(start + ROWS, len(table)))
            columns = _columns(table, rows)
            for name, group in groups.items():
                columns[name] = [group.get(row) for row in rows]
            columns["outlier_of"] = [reasons.get(row, []) for row in rows]
            writer.write_table(pa.table(columns, schema=schema))


def _schema(pa: Any) -> Any:
    numbers = [(name, pa.int64() if name in _WHOLE else pa.float64()) for name in NUMBERS]
    return pa.schema([
        ("row", pa.int64()), ("item", pa.int64()), ("picture", pa.int64()),
        ("time", pa.float64()), ("depth", pa.int64()),
        *((name, pa.string()) for name in WORDS),
        *numbers,
        ("exact_group", pa.int64()), ("near_group", pa.int64()),
        ("outlier_of", pa.list_(pa.string())),
        ("error", pa.string()), ("message", pa.string()),
    ])  # fmt: skip


def _columns(table: Table, rows: range) -> dict[str, list[Any]]:
    known = slice(rows.start, rows.stop)
    errors = [table.errors.get(row, {}) for row in rows]
    return {
        "row": list(rows),
        "item": list(table.items[known]),
        "picture": list(table.pictures[known]),
        "time": _numbers(table.times[known], whole=False),
        "depth": [depth or None for depth in table.depths[known]],
        **{name: table.words[name][known] for name in WORDS},
        **{name: _numbers(table.numbers[name][known], whole=name in _WHOLE) for name in NUMBERS},
        "error": [error.get("code") for error in errors],
        "message": [error.get("message") for error in errors],
    }


def _numbers(values: Any, *, whole: bool) -> list[Any]:
    """Return numbers with None for NaN."""
    return [None if isnan(value) else int(value) if whole else value for value in values]


def _by_row(groups: list[list[int]]) -> dict[int, int]:
    return {row: n for n, group in enumerate(groups) for row in group}
