"""Rows as CSV and as JSON lines, streamed in constant memory."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.responses import StreamingResponse

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Begin cells that spreadsheet programs run (OWASP, CSV Injection)."""


def cell(value: Any) -> Any:
    """Return a value as a cell; text that would be a formula begins with an apostrophe."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return json.dumps(value) if isinstance(value, list | dict | bool) else value


async def csv_lines(
    columns: Sequence[str], rows: AsyncIterator[dict[str, Any]]
) -> AsyncIterator[str]:
    """Write a head and a line per row (RFC 4180)."""
    yield _line(columns)
    async for row in rows:
        yield _line([cell(row[name]) for name in columns])


async def json_lines(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    """Write an object per line."""
    async for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _line(cells: Sequence[Any]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def sent(lines: AsyncIterator[str], name: str) -> StreamingResponse:
    """Answer lines as a file; the end of its name tells which they are."""
    kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type=kind, headers=headers)


def described(what: str, kind: str) -> dict[int | str, dict[str, Any]]:
    """Describe such an answer for the API's document."""
    content = {kind: {"schema": {"type": "string"}}}
    return {200: {"description": what, "content": content}}
