"""The one table: how it is made, what protects it, and which programs may use it.

    keys        `_p` and `_s`, binary; index0 … index5 over `_0p`, `_0s` …, each with keys only
    price       by request, so nothing has to be foreseen
    protection  encrypted under a key of DynamoDB's; point-in-time recovery; protected from deletion
                unless the URL says `protected=false`
    version     an item, `MARK`, says which layout the table has, and the least one that a program
                must know to write it; and `unused`, until a service or a move begins there

Somebody may have made the table already, with Terraform for example: then only its keys and indexes
are looked at, and the rest is left as it is.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from mediamill.core.errors import ConfigurationError
from mediamill.store.dynamodb.errors import said
from mediamill.store.dynamodb.wire import Wire
from mediamill.store.versions import SETTING, require_compatible

Client = Any

INDEXES = 6
"""Secondary indexes of the table: the most that one kind of record declares."""
VERSION, COMPATIBLE = 2, 2
"""The layout that this program writes, and the least that a program must know to write it too.

They rise when keys, places or shards change, or there are records that an older program must not
read or write. 2: links that are mailed, which 1 takes for API tokens; scopes and second factors.
"""
MARK = {"_p": {"B": b"\0table"}, "_s": {"B": b"version"}}
OURS = {"Key": "application", "Value": "mediamill"}
"""The tag of tables that are made here."""
PATIENCE = 600
"""Looks at a table that is being made, ten a second."""


async def prepare(client: Client, table: str, *, protected: bool) -> None:
    """Make the table unless it is there; raises `ConfigurationError` for one that does not fit."""
    found = await _described(client, table)
    made = found is None
    if found is None:
        with suppress(client.exceptions.ResourceInUseException):  # another is making it
            await client.create_table(**description(table, protected=protected))
    if found is None or found["TableStatus"] != "ACTIVE":
        found = await _active(client, table)
    _check(table, found)
    if made or await _left_unfinished(client, table, found):
        await _protect(client, table)
    await _agree(client, table)


def description(table: str, *, protected: bool) -> dict[str, Any]:
    """Return what `CreateTable` is asked for."""
    binary = ["_p", "_s", *(f"_{n}{half}" for n in range(INDEXES) for half in "ps")]
    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema("_p", "_s"),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "B"} for name in binary],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": f"index{n}",
                "KeySchema": _schema(f"_{n}p", f"_{n}s"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for n in range(INDEXES)
        ],
        "DeletionProtectionEnabled": protected,
        "Tags": [OURS],
    }


async def _active(client: Client, table: str) -> Mapping[str, Any]:
    """Wait until a table takes requests; return its description."""
    for _ in range(PATIENCE):
        found = await _described(client, table)
        if found is not None and found["TableStatus"] == "ACTIVE":
            return found
        await asyncio.sleep(0.1)
    raise _unfit(f"the table {table} does not become active.")


async def _described(client: Client, table: str) -> Mapping[str, Any] | None:
    with suppress(client.exceptions.ResourceNotFoundException):
        found: Mapping[str, Any] = (await client.describe_table(TableName=table))["Table"]
        return found
    return None


async def _left_unfinished(client: Client, table: str, found: Mapping[str, Any]) -> bool:
    """Tell whether a table is of our making and its maker died before it noted the version."""
    mark = await client.get_item(TableName=table, Key=MARK, ConsistentRead=True)
    if "Item" in mark:
        return False
    try:
        told = await client.list_tags_of_resource(ResourceArn=found["TableArn"])
    except ClientError:  # whoever made it for us gives no right to ask
        return False
    return OURS in told["Tags"]


async def _protect(client: Client, table: str) -> None:
    """Have every second of the last 35 days restorable; a server that cannot is taken as it is."""
    wanted = {"PointInTimeRecoveryEnabled": True}
    for _ in range(PATIENCE):
        try:
            await client.update_continuous_backups(
                TableName=table, PointInTimeRecoverySpecification=wanted
            )
        except ClientError as error:
            code, _ = said(error)
            if code == "UnknownOperationException":  # DynamoDB Local
                return
            if code != "ContinuousBackupsUnavailableException":  # they are being set up
                raise
            await asyncio.sleep(0.1)
        else:
            return


def _check(table: str, found: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` when a table's keys or indexes are not ours."""
    wanted = description(table, protected=True)
    schemas = {each["IndexName"]: _places(each) for each in wanted["GlobalSecondaryIndexes"]}
    there = {each["IndexName"]: _places(each) for each in found.get("GlobalSecondaryIndexes", ())}
    if _places(wanted) != _places(found):
        raise _unfit(f"the table {table} is something else’s: choose another name.")
    if lacking := sorted(name for name in schemas if there.get(name) != schemas[name]):
        raise _unfit(
            f"the table {table} lacks {', '.join(lacking)} as docs/how-to/dynamodb.md has them."
        )


def _places(described: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["AttributeName"], each["KeyType"]) for each in described["KeySchema"]}


async def _agree(client: Client, table: str) -> None:
    """Note the version of a new table; refuse one that asks for a newer program."""
    version, compatible = {"N": str(VERSION)}, {"N": str(COMPATIBLE)}
    fresh = {"version": version, "compatible": compatible, "unused": {"BOOL": True}}
    with suppress(client.exceptions.ConditionalCheckFailedException):
        await client.put_item(
            TableName=table,
            Item=MARK | fresh,
            ConditionExpression="attribute_not_exists(#p)",
            ExpressionAttributeNames={"#p": "_p"},
        )
    with suppress(client.exceptions.ConditionalCheckFailedException):
        await client.update_item(
            TableName=table,
            Key=MARK,
            UpdateExpression="SET #v = :v, #c = :c",
            ConditionExpression="#v < :v",
            ExpressionAttributeNames={"#v": "version", "#c": "compatible"},
            ExpressionAttributeValues={":v": version, ":c": compatible},
        )
    _require(await client.get_item(TableName=table, Key=MARK, ConsistentRead=True))


async def require_current(wire: Wire, table: str) -> None:
    """Raise `ConfigurationError` when a table asks for a newer program meanwhile."""
    _require(await wire.ask("get_item", TableName=table, Key=MARK, ConsistentRead=True))


def _require(answer: Mapping[str, Any]) -> None:
    mark = answer["Item"]
    require_compatible(VERSION, int(mark["version"]["N"]), int(mark["compatible"]["N"]))


async def is_unused(wire: Wire, table: str) -> bool:
    """Tell whether neither a service nor a move ever began in a table."""
    answer = await wire.ask("get_item", TableName=table, Key=MARK, ConsistentRead=True)
    return "unused" in answer.get("Item", {})


async def take_into_use(wire: Wire, table: str) -> None:
    """Note that a service or a move begins in a table; again does no harm."""
    if await is_unused(wire, table):
        await wire.ask(
            "update_item",
            TableName=table,
            Key=MARK,
            UpdateExpression="REMOVE #u",
            ExpressionAttributeNames={"#u": "unused"},
        )


def fits(kinds: Iterable[Any]) -> bool:
    """Tell whether the table has indexes enough for some kinds of records."""
    return all(len(kind.indexes) <= INDEXES for kind in kinds)


def _unfit(message: str) -> ConfigurationError:
    return ConfigurationError(f"{SETTING}: {message}", setting=SETTING)


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
