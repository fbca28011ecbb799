"""The store in one DynamoDB table: `dynamodb://table?region=…&endpoint=…`.

Reads by key are consistent. Indexes are global secondary ones, which follow within milliseconds, so
a listing may lack what was written this moment; whoever decides by a listing guards what it writes.
A transaction of one action is one conditional write, which costs half.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.core.records import Index, R, Record
from mediamill.store.calls import Change, Listing, changes_of, condition_failed, keys_of, listing_of
from mediamill.store.codec import Layout, layout_of
from mediamill.store.dynamodb.clock import ServiceClock
from mediamill.store.dynamodb.errors import Collided, translated
from mediamill.store.dynamodb.items import shape_of
from mediamill.store.dynamodb.ordering import after, before, last_of, ordered
from mediamill.store.dynamodb.requests import Request, request, unknown
from mediamill.store.judging import Row, changed, holds
from mediamill.store.port import Action, Page

TRIES = 12
"""Of a transaction that collides with others."""
SINGLE = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}

Client = Any


class DynamoStore:
    """Records in one table."""

    version = ""

    def __init__(
        self,
        client: Client,
        closing: AbstractAsyncContextManager[Client],
        table: str,
        clock: Clock | None,
    ) -> None:
        self._client, self._closing, self._table = client, closing, table
        self._clock, self._service_clock = clock, ServiceClock()
        self._closed, self._running, self._quiet = False, 0, asyncio.Event()

    async def get(self, kind: type[R], *key: Any) -> R | None:
        return (await self.get_many(kind, [key]))[0]

    async def get_many(self, kind: type[R], keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        wanted, layout = keys_of(kind, keys), layout_of(kind)
        with self._accepted():
            found = await self._rows(kind, wanted)
        rows = [found.get(key) for key in wanted]
        return [None if row is None else layout.decode(row) for row in rows]

    async def query(
        self,
        kind: type[R],
        index: Index,
        *partition: Any,
        at_least: Any = None,
        at_most: Any = None,
        after: str | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> Page[R]:
        listing = listing_of(
            kind,
            index,
            partition,
            at_least=at_least,
            at_most=at_most,
            after=after,
            limit=limit,
            descending=descending,
        )
        with self._accepted():
            return listing.page(await self._list(listing))

    async def transact(self, *actions: Action) -> None:
        changes = changes_of(actions)
        with self._accepted():
            if changes:
                await self._transact(changes)

    async def now(self) -> int:
        self._check_open()
        if self._clock is not None:
            return self._clock.now()
        if (now := self._service_clock.now()) is None:
            await self._ask("describe_table", TableName=self._table)
            now = self._service_clock.now()
        if now is None:
            raise Unavailable("The database does not tell the time.")
        return now

    async def close(self) -> None:
        self._closed = True
        if self._running:
            await self._quiet.wait()
        if self._client is not None:
            self._client = None
            await self._closing.__aexit__(None, None, None)

    # -- reading --------------------------------------------------------------------------------

    async def _rows(self, kind: type[Record], keys: Sequence[Row]) -> dict[Row, Row]:
        """Read rows by key, consistently; those that are not there are left out."""
        shape, found = shape_of(kind), dict[Row, Row]()
        if len(keys) == 1:
            answer = await self._ask(
                "get_item", TableName=self._table, Key=shape.key(keys[0]), ConsistentRead=True
            )
            return {keys[0]: shape.row(answer["Item"])} if "Item" in answer else {}
        waiting = [shape.key(key) for key in dict.fromkeys(keys)]
        wait = 0.02
        while waiting:
            some = {self._table: {"Keys": waiting, "ConsistentRead": True}}
            answer = await self._ask("batch_get_item", RequestItems=some)
            for item in answer["Responses"].get(self._table, ()):
                row = shape.row(item)
                found[_key(shape.layout, row)] = row
            waiting = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if waiting:
                await asyncio.sleep(wait)
                wait = min(1.0, 2 * wait)
        return found

    async def _list(self, listing: Listing[Any]) -> list[Row]:
        asked = _question(listing, self._table)
        if asked is None:
            return []
        shape, rows = shape_of(listing.layout.kind), list[Row]()
        while len(rows) <= listing.limit:
            answer = await self._ask("query", **asked, Limit=listing.limit + 1 - len(rows))
            rows += [shape.row(item) for item in answer["Items"]]
            if (place := answer.get("LastEvaluatedKey")) is None:
                break
            asked["ExclusiveStartKey"] = place
        return rows

    # -- writing --------------------------------------------------------------------------------

    async def _transact(self, changes: list[Change]) -> None:
        for left in reversed(range(TRIES)):
            requests = await self._requests(changes)
            if requests is not None:
                try:
                    await self._send(requests)
                except Collided as collision:
                    await self._judge_refusal(changes, requests, collision)
                else:
                    return
            if left:
                await asyncio.sleep(random.random() * 0.01 * 2 ** min(6, TRIES - left))  # noqa: S311 - spread
        raise Unavailable("The database is busy: too many write the same at once.")

    async def _requests(self, changes: list[Change]) -> list[Request] | None:
        """Make the requests of a transaction; None when something changed while it was read."""
        requests = []
        for n, change in enumerate(changes):
            old = await self._row(change) if unknown(change) else None
            if unknown(change) and not holds(change, old):
                await self._judge(changes[: n + 1])
                return None
            try:
                requests.append(request(change, self._table, old))
            except ValueError:
                await self._judge(changes[:n])
                raise
        return requests

    async def _judge_refusal(
        self, changes: list[Change], requests: list[Request], collision: Collided
    ) -> None:
        """Raise why a transaction was refused; return when it is worth another try."""
        refused = collision.first_refused
        if refused is None:
            return
        if requests[refused].assumed:
            await self._judge(changes[: refused + 1])
            return
        raise ConditionFailed(condition_failed(changes[refused]), action=refused)

    async def _judge(self, changes: list[Change]) -> None:
        """Raise for the first change that cannot be made now; return when all can."""
        for n, change in enumerate(changes):
            row = await self._row(change)
            if not holds(change, row):
                raise ConditionFailed(condition_failed(change), action=n)
            changed(change, row)

    async def _row(self, change: Change) -> Row | None:
        return (await self._rows(change.layout.kind, [change.key])).get(change.key)

    async def _send(self, requests: list[Request]) -> None:
        if len(requests) == 1 and requests[0].verb in SINGLE:
            await self._ask(SINGLE[requests[0].verb], **requests[0].arguments)
            return
        items = [{each.verb: each.arguments} for each in requests]
        token = uuid4().hex  # sent again with the same one, it is done once
        await self._ask("transact_write_items", TransactItems=items, ClientRequestToken=token)

    # -- the wire -------------------------------------------------------------------------------

    async def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
        except (ClientError, BotoCoreError, TimeoutError) as error:
            raise translated(error) from error
        self._service_clock.hear(answer)
        return answer

    @contextmanager
    def _accepted(self) -> Iterator[None]:
        """Let `close` wait for the block."""
        self._check_open()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._closed and not self._running:
                self._quiet.set()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("The store is closed.")


def _key(layout: Layout[Any], row: Row) -> Row:
    values = dict(zip(layout.by_name, row, strict=True))
    return tuple(values[name] for name in layout.key)


def _question(listing: Listing[Any], table: str) -> dict[str, Any] | None:
    """Make the query of a listing; None where it can find nothing."""
    shape = shape_of(listing.layout.kind)
    name, partition, sort = shape.of_index(listing.index)
    values = dict(zip(listing.index.partition, listing.partition, strict=True))
    if (place := partition.value(values)) is None:
        return None
    low, high = _range(listing)
    if low > high:
        return None
    asked: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#p = :p AND #s BETWEEN :low AND :high",
        "ExpressionAttributeNames": {"#p": partition.attribute, "#s": sort.attribute},
        "ExpressionAttributeValues": {
            ":p": {"B": place}, ":low": {"B": low}, ":high": {"B": high},
        },
        "ScanIndexForward": not listing.descending,
    }  # fmt: skip
    return asked | ({"IndexName": name} if name else {"ConsistentRead": True})


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
