"""Attempts: the ledger of model calls, a row for each, written before the call is made.

A row is put if absent, so a call has one caller; what was answered is in it before it is judged, so
it is not paid for again. Who finds a row without an end, left by a worker that vanished, ends it as
`unknown`: it may have been answered, and counts as the most that it could cost.

Money is in micro-dollars (millionths of a US dollar), whole numbers.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import MAX_PAGE, Page, Store, key_index

AT_ONCE = 16
"""Items whose attempts are read at a time."""


class AttemptState(StrEnum):
    ASKED = "asked"
    """The call is under way, or its worker vanished."""
    JOURNALED = "journaled"
    """It was answered, and nobody has judged the answer yet."""
    ANSWERED = "answered"
    """It was answered, and the answer will do."""
    INVALID = "invalid"
    """It was answered, and the answer will not do."""
    DECLINED = "declined"
    """The provider will not answer this question."""
    LIMITED = "limited"
    """The provider was asked too often."""
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    """The provider answers nothing as it is set up."""
    UNKNOWN = "unknown"
    """It was asked, and how that ended is not known: cut off, or its worker vanished."""
    SKIPPED = "skipped"
    """The provider was not called at all; `error` says why."""


class Attempt(Record, frozen=True, kw_only=True):
    """One call of one provider for one question of an item, or why there was none."""

    table = "attempts"
    key = Key("of", "name", "number")
    indexes = (
        Index("attempt_job", ("job",), ("stage", "item", "name", "number"), shards=4),
        Index("attempt_day", ("owner", "day"), ("began", "of", "name", "number"), shards=4),
    )

    of: str
    """Which item: `{job}-{stage}-{item}`."""
    name: str
    """Which of the item's questions."""
    number: int
    """Which of the calls for it, from 0."""
    job: str
    stage: int
    item: int
    owner: str
    day: str
    """On which its unit was claimed, `2026-11-22`, UTC: it is booked on it."""
    operation: str
    provider: str
    model: str = ""
    state: AttemptState = AttemptState.ASKED
    unit: int = 0
    """For which unit of the job: its sequence number."""
    purse: int = 0
    """Of which claim of the unit: its fence."""
    code: str = ""
    error: str = ""
    began: int
    ended: int | None = None
    milliseconds: int = 0
    """What the call took."""
    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    reserved: int = 0
    """The most that it can cost, in micro-dollars."""
    cost: int = 0
    """What it cost, in micro-dollars; of `unknown` ones the most."""
    request: str = ""
    """The provider's own id of the call."""
    answer: dict[str, Any] | None = None
    """What was answered (`engine/asking/answers.py`)."""

    @property
    def month(self) -> str:
        return self.day[:7]

    @property
    def claim(self) -> tuple[int, int]:
        """Return whose purse pays for it: the number of a unit of the job, and a fence."""
        return self.unit, self.purse

    @property
    def called(self) -> bool:
        """Whether the provider was called, and may want to be paid."""
        return self.state is not AttemptState.SKIPPED

    @property
    def failed(self) -> bool:
        """Whether it gave nothing that would do."""
        good = (AttemptState.ASKED, AttemptState.JOURNALED, AttemptState.ANSWERED)
        return self.state not in good


def of_item(job: str, stage: int, item: int) -> str:
    """Name an item, as its attempts do."""
    return f"{job}-{stage}-{item}"


class Attempts:
    """Reads of the ledger; rows are written by `engine/asking/journal.py`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def of_item(self, job: str, stage: int, item: int) -> Sequence[Attempt]:
        """Return all attempts of an item by question and number."""
        found, after = list[Attempt](), None
        while True:
            page = await self.page_of_item(job, stage, item, after, MAX_PAGE)
            found += page.rows
            if (after := page.after) is None:
                return found

    async def of_items(
        self, job: str, stage: int, items: Sequence[int]
    ) -> AsyncIterator[Sequence[Attempt]]:
        """Visit all attempts of each of some items, in their order; some are read at a time."""
        for start in range(0, len(items), AT_ONCE):
            some = items[start : start + AT_ONCE]
            for rows in await asyncio.gather(*(self.of_item(job, stage, item) for item in some)):
                yield rows

    async def page_of_item(
        self, job: str, stage: int, item: int, after: str | None = None, limit: int = 100
    ) -> Page[Attempt]:
        """List an item's attempts by question and number."""
        return await self.store.query(
            Attempt, key_index(Attempt), of_item(job, stage, item), after=after, limit=limit
        )

    async def of_job(self, job: str, after: str | None = None, limit: int = 100) -> Page[Attempt]:
        """List a job's attempts by stage, item, question and number."""
        index = Attempt.index("attempt_job")
        return await self.store.query(Attempt, index, job, after=after, limit=limit)

    async def walk_job(self, job: str) -> AsyncIterator[Attempt]:
        """Visit all attempts of a job, in constant memory."""
        after: str | None = None
        while True:
            page = await self.of_job(job, after, limit=MAX_PAGE)
            for row in page.rows:
                yield row
            if (after := page.after) is None:
                return

    async def of_day(
        self, owner: str, day: str, after: str | None = None, limit: int = 100
    ) -> Page[Attempt]:
        """List an owner's attempts that are booked on a day, the latest first."""
        index = Attempt.index("attempt_day")
        return await self.store.query(
            Attempt, index, owner, day, after=after, limit=limit, descending=True
        )
