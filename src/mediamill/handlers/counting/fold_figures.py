"""`fold_figures`: make one row of figures of each that were spread over several."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from mediamill.core.clock import HOUR
from mediamill.engine.lease import Lease
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import OPEN_DAYS, Figures

EVERY_MS = 6 * HOUR
BACK_DAYS = 40
"""Days that the first look goes back; rows that stay spread are read all the same."""


@dataclass
class FoldFigures:
    """Looks a few times a day; its unit knows up to which day all is folded."""

    recurs: ClassVar = True

    figures: Figures

    async def run(self, lease: Lease) -> None:
        open_ = await self.figures.store.now() - HOUR  # what is remembered of midnight is forgotten
        last = date.fromisoformat(day_of(open_)) - timedelta(OPEN_DAYS)
        done = lease.unit.payload.get("folded") or (last - timedelta(BACK_DAYS)).isoformat()
        if done < last.isoformat():
            first = date.fromisoformat(done) + timedelta(1)
            await self.figures.fold(first.isoformat(), last.isoformat())
            await lease.write(payload={**lease.unit.payload, "folded": last.isoformat()})
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again in some hours."""
        await lease.release(EVERY_MS, str(error))
