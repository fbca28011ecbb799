"""What users tell who runs the service: words, the page they were on, copies of pictures."""

from collections.abc import Sequence
from enum import StrEnum

from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import (
    Absent,
    Action,
    AtMost,
    Delete,
    Equals,
    Exists,
    Page,
    Put,
    Store,
    Update,
)
from mediamill.store.repositories.units import Unit, Units

NAMED = "feedback"
"""Where units name it."""
A_DAY = 20
"""How often one user may say something in a day (UTC)."""


class FeedbackState(StrEnum):
    OPEN = "open"
    DONE = "done"


class Feedback(Record, frozen=True, kw_only=True):
    """Something that a user has said."""

    table = "feedback"
    key = Key("id")
    indexes = (
        Index("feedback_state", partition=("state",), sort=("id",)),
        Index("feedback_user", partition=("user",), sort=("id",)),
    )

    id: str
    user: str
    state: FeedbackState = FeedbackState.OPEN
    text: str
    page: str = ""
    """The address, within the service, of the page that it is about."""
    files: tuple[str, ...] = ()
    """Pictures of theirs that it shows."""
    copies: int | None = None
    """How many of them were copied, in their order; None until that is done."""
    created: int

    def blob(self, number: int) -> str:
        """Return the blob of a copy, counted from 1: no larger, and without metadata."""
        return f"feedback/{self.id}/{number}"


class FeedbackDay(Record, frozen=True, kw_only=True):
    """How often a user said something on the last day on which they did."""

    table = "feedback_days"
    key = Key("user")

    user: str
    day: int
    """Days since 1970."""
    said: int


class Feedbacks:
    """Reads and writes of feedback."""

    def __init__(self, store: Store, units: Units, most: int = A_DAY) -> None:
        self.store, self.units, self.most = store, units, most

    async def get(self, feedback_id: str) -> Feedback | None:
        return await self.store.get(Feedback, feedback_id)

    async def in_state(self, state: FeedbackState, after: str | None, limit: int) -> Page[Feedback]:
        """List those in a state, newest first."""
        index = Feedback.index("feedback_state")
        return await self.store.query(
            Feedback, index, state, after=after, limit=limit, descending=True
        )

    async def add(self, feedback: Feedback, units: Sequence[Unit]) -> bool:
        """Insert one, with its units, unless its user said enough today; tell whether it was.

        Whatever goes on beside it, no more than `most` of a day are taken.
        """
        while True:
            day = await self.store.now() // DAY
            row = await self.store.get(FeedbackDay, feedback.user)
            if row is not None and row.day >= day and row.said >= self.most:
                return False
            try:
                counting = self._counting(feedback.user, day, row)
                await self.units.insert(units, Put(feedback), counting)
            except ConditionFailed:
                continue  # another was first
            return True

    async def mark(self, feedback_id: str, state: FeedbackState) -> bool:
        """Set the state of one; tell whether it was there."""
        change = Update(Feedback, (feedback_id,), set={"state": state}, when=(Exists(),))
        try:
            await self.store.transact(change)
        except ConditionFailed:
            return False
        return True

    async def remove(self, feedback: Feedback) -> None:
        await self.store.transact(Delete(Feedback, (feedback.id,)))

    def _counting(self, user: str, day: int, row: FeedbackDay | None) -> Action:
        if row is None:
            return Put(FeedbackDay(user=user, day=day, said=1), when=(Absent(),))
        same = Equals("day", row.day)
        if row.day < day:
            return Update(FeedbackDay, (user,), set={"day": day, "said": 1}, when=(same,))
        few = AtMost("said", self.most - 1)
        return Update(FeedbackDay, (user,), add={"said": 1}, when=(same, few))
