"""All rows of a store, read directly: not through what the service itself would look up.

So a row in the wrong place shows. The place is told by the store's URL, of any kind.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import apsw
import boto3
import psycopg

from mediamill.core.records import Record
from mediamill.store.codec import layout_of
from mediamill.store.dynamodb.items import shape_of
from mediamill.store.schema import all_kinds

Row = tuple[Any, ...]

OURS = ("pool", "timeout", "prepare", "allow_plaintext")
"""Parameters of a PostgreSQL store's URL that are not libpq's."""


def rows(store_url: str, *kinds: type[Record]) -> dict[str, list[Row]]:
    """Read whole tables, the columns in the order of their records'; all of one moment on SQL."""
    match urlsplit(store_url).scheme:
        case "sqlite":
            return _of_sqlite(database(store_url), kinds)
        case "postgresql":
            return _of_postgres(store_url, kinds)
        case "dynamodb":
            return {kind.table: list(_of_dynamodb(store_url, kind)) for kind in kinds}
    raise AssertionError(f"no way to read all of {store_url}")


def everything(store_url: str) -> dict[str, set[Row]]:
    """Read all tables of the service."""
    return {name: set(found) for name, found in rows(store_url, *all_kinds()).items()}


def database(store_url: str) -> Path:
    """Return where the SQLite file of a URL lies."""
    return Path("/" + unquote(urlsplit(store_url).path).lstrip("/"))


def _select(kind: type[Record]) -> str:
    columns = ", ".join(f'"{column.name}"' for column in layout_of(kind).columns)
    return f'SELECT {columns} FROM "{kind.table}"'


def _of_sqlite(file: Path, kinds: tuple[type[Record], ...]) -> dict[str, list[Row]]:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        with connection:
            return {kind.table: connection.execute(_select(kind)).fetchall() for kind in kinds}
    finally:
        connection.close()


def _of_postgres(store_url: str, kinds: tuple[type[Record], ...]) -> dict[str, list[Row]]:
    parts = urlsplit(store_url)
    theirs = [(name, value) for name, value in parse_qsl(parts.query) if name not in OURS]
    with psycopg.connect(parts._replace(query=urlencode(theirs)).geturl()) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return {k.table: connection.execute(_select(k).encode()).fetchall() for k in kinds}


def _of_dynamodb(store_url: str, kind: type[Record]) -> Iterator[Row]:
    return map(shape_of(kind).row, items_of(store_url, kind))


def items_of(store_url: str, kind: type[Record]) -> Iterator[dict[str, Any]]:
    """Read the items of a kind in a DynamoDB table, with all their attributes."""
    parts, shape = urlsplit(store_url), shape_of(kind)
    given = dict(parse_qsl(parts.query))
    pages = _dynamodb(given["region"], given.get("endpoint")).get_paginator("scan").paginate(
        TableName=parts.netloc,
        ConsistentRead=True,
        FilterExpression="begins_with(#p, :kind)",
        ExpressionAttributeNames={"#p": "_p"},
        ExpressionAttributeValues={":kind": {"B": shape.partition.prefix}},
    )  # fmt: skip
    for page in pages:
        yield from page["Items"]


@cache
def _dynamodb(region: str, endpoint: str | None) -> Any:
    return boto3.client("dynamodb", region_name=region, endpoint_url=endpoint)
