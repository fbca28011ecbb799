"""Requests to DynamoDB, asked again until there is an answer.

A write carries a token of its own, under which DynamoDB makes it once however often it is sent: so
one whose answer was lost is sent again as it is, and never told to have failed by its own effect.
That needs `TransactWriteItems`, for one action too: `PutItem` has no token.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from mediamill.core.errors import Unavailable
from mediamill.store.dynamodb.clock import ServiceClock
from mediamill.store.dynamodb.errors import Again, Collided, translated
from mediamill.store.dynamodb.requests import Request
from mediamill.store.watching import Reason

TRIES = 6
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0
"""Seconds to wait at most before the second try, and before the last; each is drawn anew."""

Client = Any


def _ignored(reason: Reason) -> None:
    return


class Wire:
    """One client, and the time that its service tells."""

    def __init__(self, client: Client, again: Callable[[Reason], None] = _ignored) -> None:
        """`again` hears why a request is made again."""
        self.client, self.clock, self._again = client, ServiceClock(), again

    async def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a request that changes nothing; raises `Unavailable`."""
        for left in reversed(range(TRIES)):
            try:
                return await self.once(operation, **arguments)
            except Again as error:
                if not left:
                    raise Unavailable(str(error)) from error
                self._again(error.reason)
            await _pause(left)
        raise AssertionError("the last try returns or raises")

    async def write(self, requests: Sequence[Request]) -> None:
        """Make a transaction once; raises `Collided` for one that was not made.

        `Unavailable` when nobody knows.
        """
        items = [{each.verb: each.arguments} for each in requests]
        token, sure = uuid4().hex, True
        for left in reversed(range(TRIES)):
            try:
                await self.once(
                    "transact_write_items", TransactItems=items, ClientRequestToken=token
                )
            except Again as error:
                sure = sure and error.sure
                if not left:
                    raise Unavailable(str(error)) from error
                self._again(error.reason)
            except Collided as collision:
                if sure or not left or collision.first_refused is not None:
                    raise
                self._again(collision.reason)
            else:
                return
            await _pause(left)

    async def once(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to one request; raises what `translated` makes of its error."""
        try:
            answer: dict[str, Any] = await getattr(self.client, operation)(**arguments)
        except (ClientError, BotoCoreError, TimeoutError, OSError) as error:
            raise translated(error) from error
        self.clock.hear(answer)
        return answer


async def _pause(left: int) -> None:
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (TRIES - 1 - left))
    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - only to spread the tries
