"""How often somebody guessed wrong: by account, by browser, by network.

A row is one of 2^18 places of its kind; which, a hash of the account's address or the network says.
So there are never more rows than that, whoever invents addresses, none has to be removed, and no
row tells whose it is. Two that share a place wait for each other, which is rare and does no harm.
"""

import hashlib

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Key, Record
from mediamill.store.port import Absent, Delete, Equals, Put, Store, Update

PLACES = 1 << 18


class Guess(Record, frozen=True, kw_only=True):
    """What was tried without success lately."""

    table = "guesses"
    key = Key("place")

    place: str
    """`kind:number`."""
    level: float
    """How many tries count, at the time of the last one."""
    last: int
    """When the last one was (ms)."""
    turn: int
    """Counts the writes."""


class Guesses:
    """Reads of such rows, and writes that no other can come in between."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def of(self, places: list[str]) -> list[Guess | None]:
        return await self.store.get_many(Guess, [(place,) for place in places])

    async def count(self, before: list[Guess | None], after: list[Guess]) -> bool:
        """Write rows unless one of them has changed since it was read."""
        writes = [_write(*pair) for pair in zip(before, after, strict=True)]
        try:
            await self.store.transact(*writes)
        except ConditionFailed:
            return False
        return True

    async def forget(self, place: str) -> None:
        await self.store.transact(Delete(Guess, (place,)))

    async def give_back(self, place: str) -> None:
        """Count one try less, where any counts."""
        try:
            await self.store.transact(Update(Guess, (place,), add={"level": -1.0, "turn": 1}))
        except ConditionFailed:
            return  # it was forgotten meanwhile


def place_of(kind: str, whose: str) -> str:
    """Return the place of an account, a browser or a network."""
    number = int.from_bytes(hashlib.sha256(f"{kind}\n{whose}".encode()).digest()[:4]) % PLACES
    return f"{kind}:{number}"


def _write(before: Guess | None, after: Guess) -> Put | Update:
    if before is None:
        return Put(after.evolve(turn=1), when=(Absent(),))
    changes = {"level": after.level, "last": after.last, "turn": before.turn + 1}
    return Update(Guess, (after.place,), set=changes, when=(Equals("turn", before.turn),))
