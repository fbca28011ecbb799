"""Units whose questions go as a batch: handed in by one claim, collected by a later one.

The unit's payload has `batch`: the key by which it is handed in once whatever is cut off, by which
provider, the fence of the claim whose purse pays for it, how many questions it has, since when
(ms), and its name once it was handed in. `batched` lists the fences of batches that are over.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.core.clock import DAY, HOUR, MINUTE
from mediamill.core.errors import (
    BudgetExceeded,
    InvalidAnswer,
    MediamillError,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
)
from mediamill.engine.asking.asking import Asking, settle_dead
from mediamill.engine.asking.batch import Questions, Wanted, collected, id_of, keep, pay, refused
from mediamill.engine.asking.booking import Booking
from mediamill.engine.asking.models import Models
from mediamill.engine.asking.panel import Opened
from mediamill.engine.lease import Lease
from mediamill.store.repositories.attempts import Attempt, Attempts, AttemptState
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

LOOK_AGAIN_MS = MINUTE
HAND_IN_MS, ANSWER_MS = HOUR, 2 * DAY
"""For as long is tried to hand a batch in, and waited for its answers; then nobody knows what
became of it, and its questions are asked one by one."""
STOP_SECONDS = 30.0
MAY_PASS = (ProviderUnavailable, InvalidAnswer)
"""Errors of a provider after which it is asked for the batch again."""


class WaitingError(Exception):
    """The unit waits for its batch."""


def paid_by(unit: Unit) -> int | None:
    """Return the fence of the claim that pays for the unit's batch; None where there is none."""
    batch = unit.payload.get("batch")
    return int(batch["fence"]) if batch else None


def handed_to(unit: Unit) -> str | None:
    """Return the name of the provider that has the unit's batch; None where there is none."""
    batch = unit.payload.get("batch")
    return str(batch["provider"]) if batch else None


async def stop(models: Models, unit: Unit) -> None:
    """Have the batch of a unit that is closed worked on no more, if its provider can be asked."""
    batch = unit.payload.get("batch") or {}
    if not batch.get("name"):
        return
    try:
        configured = await models.chains.find(batch["provider"])
        async with models.panel.using(configured) as opened, asyncio.timeout(STOP_SECONDS):
            await opened.batches.stop(batch["name"])
    except (MediamillError, TypeError, TimeoutError) as error:
        log.warning("batch goes on", action="batch_unstopped", error=str(error), unit=unit.name)


@dataclass
class Batching:
    """The batches of one unit, one after the other."""

    lease: Lease
    asking: Asking
    opened: Opened
    stage: int
    attempts: Attempts
    booking: Booking

    @property
    def noted(self) -> dict[str, Any]:
        """What the unit's payload says of its batch; empty for none."""
        return self.lease.unit.payload.get("batch") or {}

    @property
    def over(self) -> Sequence[tuple[int, int]]:
        """Claims whose batches are over (`Attempt.claim`)."""
        unit = self.lease.unit
        return [(unit.seq, fence) for fence in unit.payload.get("batched", ())]

    async def settle(self) -> None:
        """Take what was answered; raises `WaitingError` while it is worked on.

        A batch that failed as a whole is over, and one whose rows are not all there: it was not
        handed in. Of another of which that is not known `hand_in` sees to it.
        """
        if self.noted.get("name"):
            await self._collect()
        elif self.noted and len(rows := await self._rows()) < self.noted["questions"]:
            away = ProviderUnavailable("The batch was not handed in.")
            await self._fail(rows, away, asked=False)

    async def hand_in(self, wanted: Sequence[Wanted]) -> None:
        """Hand questions in; the unit then waits, which raises `WaitingError`.

        A batch that was perhaps handed in is so under its key again. It returns where questions
        must be asked one by one: nobody takes the batch, or it might cost more than may be spent.
        """
        rows = await (self._rows() if self.noted else self._paid(wanted))
        if not self.noted:
            return
        kept = {id_of(row) for row in rows}
        questions = Questions([one for one in wanted if one.id in kept])
        try:
            name = await self.opened.batches.submit(questions, self.noted["key"])
        except (ProviderRefused, QuestionRefused) as error:
            await self._fail(rows, error)
            return
        except MAY_PASS as error:
            await self._wait(HAND_IN_MS, error)
            return
        await self._note({**self.noted, "name": name})
        raise WaitingError

    async def _paid(self, wanted: Sequence[Wanted]) -> Sequence[Attempt]:
        """Note a batch and pay for it; that is undone where it might cost too much."""
        unit = self.lease.unit
        key = f"{unit.payload['job']}-{unit.seq}-{unit.payload['generation']}-{unit.fence}"
        now = await self.asking.store.now()
        await self._note({
            "key": key, "provider": self.opened.provider.name, "name": "", "fence": unit.fence,
            "questions": len(wanted), "since": now,
        })  # fmt: skip
        try:
            return await pay(self.asking, self.opened, wanted)
        except BudgetExceeded:
            await self._note(None)
            return ()

    async def _collect(self) -> None:
        try:
            found = await self.opened.batches.collect(self.noted["name"])
        except (ProviderRefused, QuestionRefused) as error:
            await self._fail(await self._rows(), error)
            return
        except MAY_PASS as error:
            await self._wait(ANSWER_MS, error)
            return
        if found is None:
            await self._wait(ANSWER_MS)
            return
        now, opened, answers = await self.asking.store.now(), self.opened, self.asking.answers
        rows = await self._rows()
        await self._end([await collected(row, found, opened, answers, now) for row in rows])

    async def _wait(self, most: int, error: MediamillError | None = None) -> None:
        """Raise `WaitingError`, unless the batch is older than so many milliseconds.

        What then became of it nobody knows, so it counts as the most that it can cost.
        """
        if error is not None:
            log.warning("batch waits", action="batch_waits", error=error.message,
                        job=self.lease.unit.payload["job"])  # fmt: skip
        if await self.asking.store.now() - self.noted["since"] < most:
            raise WaitingError
        why = error.message if error else f"{self.opened.provider.name} is still at it."
        lost = ProviderUnavailable(f"The batch was given up: {why}", lost=True)
        await self._fail(await self._rows(), lost)

    async def _fail(
        self, rows: Sequence[Attempt], error: MediamillError, *, asked: bool = True
    ) -> None:
        """End a batch that came to nothing: what was asked in it is asked one by one."""
        now, unit = await self.asking.store.now(), self.lease.unit
        log.warning("batch failed", action="batch_failed", error=error.message,
                    job=unit.payload["job"], unit=unit.name)  # fmt: skip
        await self._end([refused(row, error, now) for row in rows], asked=asked)

    async def _end(self, rows: Sequence[Attempt], *, asked: bool = True) -> None:
        """Keep how the questions of the batch ended, and settle what they cost."""
        unit, fence = self.lease.unit, self.noted["fence"]
        await keep(self.asking.journal, rows)
        if fence == unit.fence:  # this claim's own purse, which goes on
            self.asking.money.settle(*rows)
        else:
            async for purse in self.booking.spending.purses(unit.payload["job"], unit.seq):
                if purse.fence == fence:
                    await settle_dead(self.attempts, self.booking, purse, self.stage, unit.items)
        before = unit.payload.get("batched", ())
        await self._note(None, batched=[*before, *[fence] * asked])

    async def _rows(self) -> Sequence[Attempt]:
        """Return the rows of the batch's questions that have no end yet."""
        unit = self.lease.unit
        claim, found = (unit.seq, self.noted["fence"]), list[Attempt]()
        async for rows in self.attempts.of_items(unit.payload["job"], self.stage, unit.items):
            found += [row for row in rows if row.state is AttemptState.ASKED and row.claim == claim]
        return found

    async def _note(self, batch: dict[str, Any] | None, **more: Any) -> None:
        payload = {**self.lease.unit.payload, "batch": batch, **more}
        await self.lease.write(payload=payload)
