"""Count what a table holds, by reading all of it: for moves, which compare both sides at their end.

The only place that scans; no request and no worker comes here.
"""

from collections import Counter
from typing import Any

from mediamill.store.dynamodb.wire import Wire


async def counted(wire: Wire, table: str) -> Counter[str]:
    """Return how many records of each kind there are."""
    found = Counter[str]()
    asked: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    asked |= {"ProjectionExpression": "#p", "ExpressionAttributeNames": {"#p": "_p"}}
    while True:
        answer = await wire.ask("scan", **asked)
        names = (bytes(item["_p"]["B"]).partition(b"\0")[0] for item in answer["Items"])
        found.update(name.decode() for name in names if name)
        if (place := answer.get("LastEvaluatedKey")) is None:
            return found
        asked["ExclusiveStartKey"] = place
