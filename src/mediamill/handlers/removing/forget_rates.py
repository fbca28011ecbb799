"""`forget_rates`: remove what was counted of requests in windows that are over."""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from mediamill.core.clock import HOUR
from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.store.repositories.rates import WINDOW, Rates

EVERY_MS = HOUR
KEPT = 2
"""Windows that are kept: servers need not agree on the time to the second."""


@dataclass
class ForgetRates:
    """Looks once an hour."""

    recurs: ClassVar = True

    rates: Rates

    async def run(self, lease: Lease) -> None:
        await self.forget(await self.rates.store.now())
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again in an hour."""
        await lease.release(EVERY_MS, str(error))

    async def forget(self, now: int) -> int:
        """Remove what is over at a time (ms); return how many rows."""
        removed = 0
        while rows := await self.rates.older(now // WINDOW - KEPT):
            with suppress(ConditionFailed):  # one is in use again: look anew
                await self.rates.forget(rows)
                removed += len(rows)
        return removed
