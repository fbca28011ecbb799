"""Open a table by its URL, made when it is missing."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from mediamill.core.clock import Clock
from mediamill.core.errors import ConfigurationError
from mediamill.core.records import Record
from mediamill.store.dynamodb.errors import translated
from mediamill.store.dynamodb.store import DynamoStore

SETTING = "MEDIAMILL_STORE_URL"
INDEXES = 6
"""Secondary indexes of the table: the most that one kind of record declares."""
OPTIONS = frozenset({"region", "endpoint"})


async def open(  # noqa: A001 - the name that every backend module has
    url: str, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> DynamoStore:
    """Open the table that a URL names; raises `ValueError` for a bad parameter."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    if not parts.hostname or parts.path.strip("/"):
        raise ValueError("write dynamodb://table?region=…")
    if unknown := given.keys() - OPTIONS:
        raise ValueError(f"unknown parameter {', '.join(unknown)}; known: region, endpoint")
    if any(len(kind.indexes) > INDEXES for kind in extra_kinds):
        raise ValueError(f"a kind of record has more than {INDEXES} indexes")
    client = get_session().create_client(
        "dynamodb",
        region_name=given.get("region"),
        endpoint_url=given.get("endpoint"),
        config=AioConfig(
            connect_timeout=5,
            read_timeout=20,
            max_pool_connections=50,
            retries={"mode": "standard", "max_attempts": 4},
        ),
    )
    try:
        entered = await client.__aenter__()
    except BotoCoreError as error:  # no region, no credentials
        raise ConfigurationError(f"{SETTING}: {error}", setting=SETTING) from error
    try:
        await _make(entered, parts.netloc)
    except BaseException as error:
        await client.__aexit__(None, None, None)
        if isinstance(error, ClientError | BotoCoreError):
            raise translated(error) from error
        raise
    return DynamoStore(entered, client, parts.netloc, clock)


async def _make(client: Any, table: str) -> None:
    """Make the table unless it is there, and wait until it takes requests."""
    binary = ["_p", "_s", *(f"_{n}{half}" for n in range(INDEXES) for half in "ps")]
    described = {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema("_p", "_s"),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "B"} for name in binary],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": f"index{n}",
                "KeySchema": _schema(f"_{n}p", f"_{n}s"),
                "Projection": {"ProjectionType": "ALL"},
            }
            for n in range(INDEXES)
        ],
    }
    with suppress(client.exceptions.ResourceInUseException):
        if not await _is_there(client, table):
            await client.create_table(**described)
    for _ in range(600):
        answer = await client.describe_table(TableName=table)
        if answer["Table"]["TableStatus"] == "ACTIVE":
            return
        await asyncio.sleep(0.1)
    raise ConfigurationError(f"{SETTING}: the table {table} does not become active.")


async def _is_there(client: Any, table: str) -> bool:
    with suppress(client.exceptions.ResourceNotFoundException):
        await client.describe_table(TableName=table)
        return True
    return False


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
