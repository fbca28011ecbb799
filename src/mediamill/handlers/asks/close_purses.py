"""`close_purses`: book what claims have spent that ended without saying so.

A worker that vanished, and one whose job was cancelled under it, leave their purse open. Its money
is given back, and its calls are booked, as soon as the unit is in other hands or in none. A batch
of a unit that was cancelled is stopped.
"""

from dataclasses import dataclass
from typing import ClassVar

import structlog

from mediamill.core.clock import MINUTE, SECOND
from mediamill.engine.asking.asking import settle_dead
from mediamill.engine.asking.models import Models
from mediamill.engine.lease import Lease
from mediamill.handlers.asks.batching import paid_by, stop
from mediamill.store.repositories.attempts import Attempts
from mediamill.store.repositories.spending import Purse
from mediamill.store.repositories.units import Units, UnitState

log = structlog.get_logger(__name__)

EVERY_MS = 3 * MINUTE
YOUNG_MS = 10 * SECOND
PAGE = 100


@dataclass
class ClosePurses:
    """Looks for them every few minutes; its unit is one of all servers' together."""

    recurs: ClassVar = True

    units: Units
    attempts: Attempts
    models: Models

    def __post_init__(self) -> None:
        self.booking = self.models.booking

    async def run(self, lease: Lease) -> None:
        await self.sweep()
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again later."""
        await lease.release(EVERY_MS, str(error))

    async def sweep(self, young_ms: int = YOUNG_MS) -> None:
        """Close every purse whose claim is over."""
        before = await self.units.store.now() - young_ms
        async for purse in self.booking.spending.open_purses(before, PAGE):
            try:
                await self._look(purse)
            except Exception as error:  # the others are closed all the same
                log.warning("a purse is left open", action="purse_left", job=purse.job,
                            unit=purse.unit, exc_info=error)  # fmt: skip

    async def _look(self, purse: Purse) -> None:
        unit = await self.units.get(purse.job, purse.unit)
        if unit is None:
            await self.booking.close(purse, [])
            return
        if unit.state is UnitState.LEASED and unit.fence == purse.fence:
            return
        if paid_by(unit) == purse.fence:
            if unit.state.open:
                return  # its batch is worked on
            await stop(self.models, unit)
        stage = int(unit.payload["stage"])
        await settle_dead(self.attempts, self.booking, purse, stage, unit.payload["items"])
