"""Pages of a listing: its shards asked at once and merged in the order of their sort keys.

The secondary indexes hold keys only, so that a change of any other field costs nothing in them. The
records are read by key, consistently, and shown where they are *now*: an index is late, and says
where some were. So a listing may lack what was written this moment, but shows nothing that is gone
or elsewhere, and each record as it is.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mediamill.store.calls import Listing
from mediamill.store.dynamodb.items import Item, Shape, Slot, shape_of
from mediamill.store.dynamodb.ordering import after, before, last_of, ordered
from mediamill.store.judging import Row

MARGIN = 1.5
"""How much more than its part of a page is read of each shard: they are not filled alike."""
BATCH = 100
"""Keys of one read, DynamoDB's limit."""

Ask = Callable[..., Awaitable[dict[str, Any]]]
Place = tuple[bytes, bytes]
"""Partition and sort key."""
Read = Callable[[Shape, Sequence[Place]], Awaitable[dict[Place, Row]]]


class Shard:
    """What one partition has of a listing, read as it is needed."""

    def __init__(self, ask: Ask, question: dict[str, Any], sort: str) -> None:
        self._ask, self._question, self._sort = ask, question, sort
        self._read = deque[Item]()
        self._over = False

    @property
    def head(self) -> bytes:
        """The sort key of the next item; empty when none is at hand."""
        return self._read[0][self._sort]["B"] if self._read else b""

    async def fill(self) -> None:
        """Have the next item at hand, unless none is left."""
        while not self._read and not self._over:
            answer = await self._ask("query", **self._question)
            self._read += answer["Items"]
            if (place := answer.get("LastEvaluatedKey")) is None:
                self._over = True
            else:
                self._question["ExclusiveStartKey"] = place

    def take(self) -> Item:
        """Return the next item."""
        return self._read.popleft()


class Merge:
    """All shards as one."""

    def __init__(self, shards: Sequence[Shard], *, descending: bool) -> None:
        self._shards, self._first = shards, max if descending else min

    async def take(self, count: int) -> list[Item]:
        """Return up to so many items; fewer behind the last."""
        found: list[Item] = []
        while len(found) < count:
            await asyncio.gather(*(shard.fill() for shard in self._shards if not shard.head))
            heads = [(shard.head, n) for n, shard in enumerate(self._shards) if shard.head]
            if not heads:
                break
            found.append(self._shards[self._first(heads)[1]].take())
        return found


async def rows_of(listing: Listing[Any], table: str, ask: Ask, read: Read) -> list[Row]:
    """Return up to `limit + 1` rows; `read` finds those of a kind that lie in some places."""
    shape = shape_of(listing.layout.kind)
    name, partition, sort = shape.of_index(listing.index)
    questions = _questions(listing, table, name, partition, sort)
    shards = [Shard(ask, question, sort.attribute) for question in questions]
    merge, wanted = Merge(shards, descending=listing.descending), listing.limit + 1
    if name is None:
        return [shape.row(item) for item in await merge.take(wanted)]
    rows: list[Row] = []
    while (missing := wanted - len(rows)) and (items := await merge.take(missing)):
        rows += await _current(shape, items, (partition, sort), read)
    return rows


async def _current(
    shape: Shape, items: Sequence[Item], halves: tuple[Slot, Slot], read: Read
) -> list[Row]:
    """Read the rows that an index names; those that it no longer has there are left out."""
    places = [(item["_p"]["B"], item["_s"]["B"]) for item in items]
    parts = [places[start : start + BATCH] for start in range(0, len(places), BATCH)]
    found: dict[Place, Row] = {}
    for part in await asyncio.gather(*(read(shape, part) for part in parts)):
        found |= part
    return [
        found[place]
        for place, item in zip(places, items, strict=True)
        if place in found and _is_there(shape, found[place], item, halves)
    ]


def _is_there(shape: Shape, row: Row, item: Item, halves: tuple[Slot, Slot]) -> bool:
    values = dict(zip(shape.layout.by_name, row, strict=True))
    return all(half.value(values) == item[half.attribute]["B"] for half in halves)


def _questions(
    listing: Listing[Any], table: str, name: str | None, partition: Slot, sort: Slot
) -> list[dict[str, Any]]:
    """Make the query of each shard; none where it can find nothing."""
    values = dict(zip(listing.index.partition, listing.partition, strict=True))
    places, (low, high) = partition.everywhere(values), _range(listing)
    if not places or low > high:
        return []
    wanted = listing.limit + 1
    share = wanted if len(places) == 1 else math.ceil(MARGIN * wanted / len(places)) + 1
    asked: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#p = :p AND #s BETWEEN :low AND :high",
        "ExpressionAttributeNames": {"#p": partition.attribute, "#s": sort.attribute},
        "ScanIndexForward": not listing.descending,
        "Limit": min(share, wanted),
    }
    asked |= {"IndexName": name} if name else {"ConsistentRead": True}
    bounds = {":low": {"B": low}, ":high": {"B": high}}
    return [
        asked | {"ExpressionAttributeValues": {":p": {"B": place}, **bounds}} for place in places
    ]


def _range(listing: Listing[Any]) -> tuple[bytes, bytes]:
    """Return the first and the last sort key that a listing may show."""
    low = ordered([listing.low]) if listing.low is not None else b"\0"
    high = last_of(ordered([listing.high]) if listing.high is not None else b"")
    if listing.after is None:
        return low, high
    beyond = ordered(listing.after)
    if listing.descending:
        return low, min(high, before(beyond))
    return max(low, after(beyond)), high
