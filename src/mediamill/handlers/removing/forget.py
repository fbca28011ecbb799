"""`forget`: remove the answers kept under idempotency keys once their day is over."""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from mediamill.blobs.port import Blobs
from mediamill.core.clock import HOUR
from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.store.port import Delete, Equals
from mediamill.store.repositories.idempotency import KeyedRequest, KeyedRequests, remove_blobs

EVERY_MS = HOUR


@dataclass
class Forget:
    """Looks once an hour."""

    recurs: ClassVar = True

    keys: KeyedRequests
    blobs: Blobs

    async def run(self, lease: Lease) -> None:
        await self.forget(await self.keys.store.now())
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again in an hour."""
        await lease.release(EVERY_MS, str(error))

    async def forget(self, now: int) -> int:
        """Remove what has expired by a time (ms), blobs first; return how many rows."""
        removed = 0
        while rows := await self.keys.expired(now):
            for row in rows:
                await self._remove(row)
            removed += len(rows)
        return removed

    async def _remove(self, row: KeyedRequest) -> None:
        await remove_blobs(self.blobs, row)
        same = (Equals("first", row.first), Equals("expires", row.expires))
        with suppress(ConditionFailed):  # the key is in use again
            await self.keys.store.transact(Delete(KeyedRequest, row.key_values(), when=same))
