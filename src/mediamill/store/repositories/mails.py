"""Mails: to which addresses none may go, and how many went to an owner today."""

from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Key, Record
from mediamill.store.port import Absent, Action, AtMost, Delete, Equals, Put, Store, Update

A_DAY = 200
"""Mails that one owner gets in a day (UTC), at most, before their address is verified."""
AN_HOUR = 10
"""Mails about accounts that go to one address in an hour, at most."""


class Unwanted(Record, frozen=True, kw_only=True):
    """Says that who reads an address wants no mails, whoever has an account in its name."""

    table = "unwanted_mails"
    key = Key("address")

    address: str
    """In lower case."""
    created: int


class MailDay(Record, frozen=True, kw_only=True):
    """How many mails an owner, or an address, got in the last period in which there was one."""

    table = "mail_days"
    key = Key("owner")

    owner: str
    """A user's id, or `account:` and a hash of an address."""
    day: int
    """Days since 1970; hours for an address."""
    sent: int


class Mails:
    """Reads and writes of both."""

    def __init__(self, store: Store, most: int = A_DAY, period: int = DAY) -> None:
        """`most` are counted in a `period` (ms)."""
        self.store, self.most, self.period = store, most, period

    @property
    def over(self) -> str:
        """What is said of one too many."""
        when = "an hour" if self.period == HOUR else "a day"
        return f"Nobody gets more than {self.most:,} mails in {when}."

    async def unwanted(self, address: str) -> bool:
        """Tell whether none may go to an address."""
        return await self.store.get(Unwanted, address.lower()) is not None

    async def refuse(self, address: str) -> Action:
        """Make the action by which no more go to an address."""
        return Put(Unwanted(address=address.lower(), created=await self.store.now()))

    def allow(self, address: str) -> Action:
        """Make the action by which they go there again."""
        return Delete(Unwanted, (address.lower(),))

    async def take(self, owner: str) -> int | None:
        """Count one more of an owner's mails; return the period it is of, None when that is full.

        Whatever goes on beside it, no more than `most` of a period are counted.
        """
        while True:
            day = await self.store.now() // self.period
            row = await self.store.get(MailDay, owner)
            if row is not None and row.day >= day and row.sent >= self.most:
                return None
            try:
                await self.store.transact(self._counting(owner, day, row))
            except ConditionFailed:
                continue  # another was first
            return day if row is None else max(day, row.day)

    def _counting(self, owner: str, day: int, row: MailDay | None) -> Action:
        if row is None:
            return Put(MailDay(owner=owner, day=day, sent=1), when=(Absent(),))
        same = Equals("day", row.day)
        if row.day < day:
            return Update(MailDay, (owner,), set={"day": day, "sent": 1}, when=(same,))
        return Update(
            MailDay, (owner,), add={"sent": 1}, when=(same, AtMost("sent", self.most - 1))
        )

    async def give_back(self, owner: str, day: int) -> None:
        """Count one less on a day: it did not go out."""
        less = Update(MailDay, (owner,), add={"sent": -1}, when=(Equals("day", day),))
        try:
            await self.store.transact(less)
        except ConditionFailed:
            return  # that day is over
