"""Units whose questions go as a batch: handed in by one claim, collected by a later one.

The unit's payload has `batch`: the key by which it is handed in once whatever is cut off, the fence
of the claim whose purse pays for it, and its name once it was handed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.core.clock import MINUTE
from mediamill.core.errors import (
    BudgetExceeded,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
)
from mediamill.engine.asking.asking import Asking, settle_dead
from mediamill.engine.asking.batch import Wanted, collected, pay, refused
from mediamill.engine.asking.panel import Opened
from mediamill.engine.lease import Lease
from mediamill.store.port import Put
from mediamill.store.repositories.attempts import Attempts, AttemptState
from mediamill.store.repositories.spending import Spending
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

LOOK_AGAIN_MS = MINUTE


class WaitingError(Exception):
    """The unit waits for its batch."""


def paid_by(unit: Unit) -> int | None:
    """Return the fence of the claim that pays for the unit's batch; None where there is none."""
    batch = unit.payload.get("batch")
    return int(batch["fence"]) if batch else None


@dataclass
class Batching:
    """The batch of one unit."""

    lease: Lease
    opened: Opened
    stage: int
    attempts: Attempts
    spending: Spending

    @property
    def noted(self) -> dict[str, Any]:
        """What the unit's payload says of its batch; empty for none."""
        return self.lease.unit.payload.get("batch") or {}

    @property
    def cut_off(self) -> bool:
        """Whether it is not known if the batch was handed in."""
        return bool(self.noted) and not self.noted["name"]

    async def hand_in(self, asking: Asking, wanted: Sequence[Wanted]) -> None:
        """Hand questions in; the unit then waits, which raises `WaitingError`.

        It returns where the questions must be asked one by one: nobody takes the batch, or it might
        cost more than may be spent. Raises `ProviderUnavailable`.
        """
        unit = self.lease.unit
        key = f"{unit.payload['job']}-{unit.seq}-{unit.payload['generation']}-{unit.fence}"
        await self._note({"key": key, "fence": unit.fence, "name": ""})
        try:
            rows = await pay(asking, self.opened, wanted)
        except BudgetExceeded:
            await self._note(None)
            return
        try:
            await self.hand_in_again(wanted)
        except (ProviderRefused, QuestionRefused, ProviderUnavailable) as error:
            for row in rows:
                asking.journal.later(refused(row, error))
            await asking.journal.settle()
            asking.money.release(sum(row.reserved for row in rows))
            await self._note(None)
            log.warning("batch refused", action="batch_refused", error=error.message,
                        job=unit.payload["job"])  # fmt: skip
            if isinstance(error, ProviderUnavailable):
                raise

    async def hand_in_again(self, wanted: Sequence[Wanted]) -> None:
        """Hand in what was kept and paid for under its key, perhaps for the second time."""
        questions = [(one.id, one.question) for one in wanted]
        name = await self.opened.batches.submit(questions, self.noted["key"])
        await self._note({**self.noted, "name": name})
        raise WaitingError

    async def collect(self) -> None:
        """Take what was answered; raises `WaitingError` while it is worked on."""
        batch, unit = self.noted, self.lease.unit
        found = await self.opened.batches.collect(batch["name"])
        if found is None:
            raise WaitingError
        now = await self.attempts.store.now()
        for item in unit.items:
            for row in await self.attempts.of_item(unit.payload["job"], self.stage, item):
                if row.state is AttemptState.ASKED and row.purse == batch["fence"]:
                    await self.lease.write(Put(collected(row, found, self.opened, now)))
        async for purse in self.spending.purses(unit.payload["job"], unit.seq):
            if purse.fence == batch["fence"]:
                await settle_dead(self.attempts, self.spending, purse, self.stage, unit.items)
        await self._note(None)

    async def _note(self, batch: dict[str, Any] | None) -> None:
        payload = {**self.lease.unit.payload, "batch": batch}
        await self.lease.write(payload=payload)
