"""Indexes as late as DynamoDB's may be: emulators change theirs with the write.

Stands in for a store's `wire`. What was written is read from the table after each write, and index
queries are answered from what it was some time ago. A record whose place has changed since is
nowhere to be seen, for DynamoDB removes the old place and adds the new one at its leisure.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mediamill.store.dynamodb.requests import Request
from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.dynamodb.wire import Wire

Item = dict[str, Any]
Key = tuple[bytes, bytes]


class LateIndexes:
    """A wire whose index queries show what was written by `behind` milliseconds ago.

    With `only`, those of some tables: indexes do not wait for each other.
    """

    def __init__(self, wire: Wire, clock: Callable[[], float], behind: float) -> None:
        self.wire, self.clock, self.now, self.behind = wire, wire.clock, clock, behind
        self.only = frozenset[str]()
        self.written: dict[Key, list[tuple[float, Item]]] = {}

    async def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        if operation == "query" and "IndexName" in arguments:
            return self._listed(arguments)
        return await self.wire.ask(operation, **arguments)

    async def write(self, requests: Sequence[Request]) -> None:
        await self.wire.write(requests)
        for request in requests:
            given = request.arguments.get("Item") or request.arguments["Key"]
            key = {name: given[name] for name in ("_p", "_s")}
            answer = await self.wire.ask(
                "get_item", TableName=request.arguments["TableName"], Key=key, ConsistentRead=True
            )
            versions = self.written.setdefault((key["_p"]["B"], key["_s"]["B"]), [])
            versions.append((self.now(), answer.get("Item", {})))

    def _listed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a query as DynamoDB does, of the keys that are seen now."""
        names, values = (arguments[f"ExpressionAttribute{what}"] for what in ("Names", "Values"))
        partition, sort = names["#p"], names["#s"]
        low, high = values[":low"]["B"], values[":high"]["B"]
        found = [
            {name: item[name] for name in ("_p", "_s", partition, sort)}
            for item in self._seen(self._limit(values[":p"]["B"]), partition, sort)
            if item[partition] == values[":p"] and low <= item[sort]["B"] <= high
        ]
        order = [(item[sort]["B"], item["_p"]["B"], item["_s"]["B"]) for item in found]
        ranked = sorted(zip(order, found, strict=True), key=lambda pair: pair[0])
        if not arguments["ScanIndexForward"]:
            ranked.reverse()
        if start := arguments.get("ExclusiveStartKey"):
            place = next(n for n, (_, item) in enumerate(ranked) if item == start)
            ranked = ranked[place + 1 :]
        items = [item for _, item in ranked]
        page = items[: arguments["Limit"]]
        more = {"LastEvaluatedKey": page[-1]} if len(items) > len(page) else {}
        return {"Items": page, **more}

    def _limit(self, partition: bytes) -> float:
        table = partition.partition(b"\0")[0].decode()
        return self.now() - (self.behind if not self.only or table in self.only else 0)

    def _seen(self, limit: float, *attributes: str) -> list[Item]:
        """List the versions of a time, save those whose place has changed since."""
        seen = list[Item]()
        for versions in self.written.values():
            known = [item for time, item in versions if time <= limit]
            item = known[-1] if known else {}
            newer = [later for time, later in versions if time > limit]
            moved = any(later.get(a) != item.get(a) for later in newer if later for a in attributes)
            if all(a in item for a in attributes) and not moved:
                seen.append(item)
        return seen


def make_late(store: DynamoStore, clock: Callable[[], float], behind: float) -> LateIndexes:
    """Have a store's indexes lag from now on."""
    late = LateIndexes(store.wire, clock, behind)
    store.wire = late  # type: ignore[assignment]  # has what the store uses of it
    return late
