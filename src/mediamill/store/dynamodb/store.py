"""The store in one DynamoDB table: `dynamodb://table?region=…&endpoint=…`.

Reads by key, and listings by the key, are consistent. The other indexes are global secondary ones,
which follow within milliseconds (`lag`): `listing.py` says what that means.

docs/how-to/dynamodb.md has the layout of the table, the permissions that are needed, and what it
costs.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.core.records import R
from mediamill.store.base import Calls, Checked
from mediamill.store.calls import Change, Listing, condition_failed
from mediamill.store.codec import layout_of
from mediamill.store.dynamodb import table
from mediamill.store.dynamodb.errors import Collided
from mediamill.store.dynamodb.items import Shape, shape_of
from mediamill.store.dynamodb.listing import Place, rows_of
from mediamill.store.dynamodb.requests import Request, request, unknown
from mediamill.store.dynamodb.wire import Client, Wire
from mediamill.store.judging import Row, changed, holds
from mediamill.store.port import Page
from mediamill.store.watching import Reason

TRIES = 12
"""Of a transaction that collides with others."""
COLLIDED: Reason = "collided"
ROUNDS = 12
"""Of a read of many keys, each for what the one before left."""


class DynamoStore(Checked):
    """Records in one table."""

    version = ""
    contenders = 64
    """DynamoDB refuses transactions that meet at an item: of 500 a second, each 15 ms, one in ten
    does so then. One can still fold so many."""

    def __init__(
        self,
        client: Client,
        closing: AbstractAsyncContextManager[Client],
        name: str,
        clock: Clock | None,
        lag: int,
    ) -> None:
        self.wire, self.lag = Wire(client, self._again), lag
        self._closing: AbstractAsyncContextManager[Client] | None = closing
        self._table, self._clock = name, clock
        self._calls = Calls()

    async def _found(self, kind: type[R], keys: list[Row]) -> list[R | None]:
        layout = layout_of(kind)
        with self._calls.accepted():
            rows = await self._rows(kind, keys)
        return [None if row is None else layout.decode(row) for row in rows]

    async def _page(self, listing: Listing[R]) -> Page[R]:
        with self._calls.accepted():
            return listing.page(await rows_of(listing, self._table, self.wire.ask, self._in_places))

    async def require_current(self) -> None:
        with self._calls.accepted():
            await table.require_current(self.wire, self._table)

    async def is_unused(self) -> bool:
        with self._calls.accepted():
            return await table.is_unused(self.wire, self._table)

    async def take_into_use(self) -> None:
        with self._calls.accepted():
            await table.take_into_use(self.wire, self._table)

    async def _apply(self, changes: list[Change]) -> None:
        with self._calls.accepted():
            if changes:
                await self._transact(changes)

    async def now(self) -> int:
        self._calls.require_open()
        if self._clock is not None:
            return self._clock.now()
        if (now := self.wire.clock.now()) is None:
            await self.wire.ask("describe_table", TableName=self._table)
            now = self.wire.clock.now()
        if now is None:
            raise Unavailable("The database does not tell the time.")
        return now

    async def close(self) -> None:
        await self._calls.close()
        closing, self._closing = self._closing, None
        if closing is not None:
            await closing.__aexit__(None, None, None)

    def _again(self, reason: Reason) -> None:
        self.watch.again(reason)

    # -- reading --------------------------------------------------------------------------------

    async def _rows(self, kind: type[R], keys: Sequence[Row]) -> list[Row | None]:
        """Read rows by key, consistently; None for those that are not there."""
        shape = shape_of(kind)
        places = [shape.place(key) for key in keys]
        found = await self._in_places(shape, places)
        return [found.get(place) for place in places]

    async def _in_places(self, shape: Shape, places: Sequence[Place]) -> dict[Place, Row]:
        """Read the rows that lie in at most a hundred places, consistently."""
        waiting, found = [_key(place) for place in dict.fromkeys(places)], dict[Place, Row]()
        if len(waiting) == 1:
            answer = await self.wire.ask(
                "get_item", TableName=self._table, Key=waiting[0], ConsistentRead=True
            )
            return {places[0]: shape.row(answer["Item"])} if "Item" in answer else {}
        for round_ in range(ROUNDS):
            if not waiting:
                return found
            some = {self._table: {"Keys": waiting, "ConsistentRead": True}}
            answer = await self.wire.ask("batch_get_item", RequestItems=some)
            for item in answer["Responses"].get(self._table, ()):
                found[item["_p"]["B"], item["_s"]["B"]] = shape.row(item)
            waiting = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if waiting:
                self.watch.again("throttled")
                await asyncio.sleep(min(1.0, 0.02 * 2**round_))
        raise Unavailable("The database is too busy: it leaves keys unread.")

    # -- writing --------------------------------------------------------------------------------

    async def _transact(self, changes: list[Change]) -> None:
        for left in reversed(range(TRIES)):
            requests, why = await self._requests(changes), COLLIDED
            if requests is not None:
                try:
                    await self.wire.write(requests)
                except Collided as collision:
                    why = collision.reason
                    await self._judge_refusal(changes, requests, collision)
                else:
                    return
            if left:
                self.watch.again(why)
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
        return (await self._rows(change.layout.kind, [change.key]))[0]


def _key(place: Place) -> dict[str, Any]:
    return {"_p": {"B": place[0]}, "_s": {"B": place[1]}}
