"""Gates: who looked at an owner's files before one of them began to go for good looks again.

A job is accepted in three steps: read the owner's gate, look at the inputs, write the job while the
gate is as it was. A purge shuts the gate before it asks which jobs still run. So whatever saw what
is hidden either is found by the purge, or is not written, however long the steps take.
"""

from contextlib import suppress

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Key, Record
from mediamill.store.port import Absent, Check, Equals, Put, Store, Update


class Gate(Record, frozen=True, kw_only=True):
    """How often something of an owner began to go for good."""

    table = "gates"
    key = Key("owner")

    owner: str
    turn: int = 0


class Gates:
    """Reads of gates, and the actions that shut one and that hold while none was shut."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def turn(self, owner: str) -> int:
        """Return how often an owner's gate was shut."""
        gate = await self.store.get(Gate, owner)
        return 0 if gate is None else gate.turn

    def still(self, owner: str, turn: int) -> Check:
        """Make the action that fails when the gate was shut since it was read."""
        return Check(Gate, (owner,), (Equals("turn", turn) if turn else Absent(),))

    async def shutting(self, owner: str) -> Update:
        """Make the action that shuts a gate."""
        if await self.store.get(Gate, owner) is None:
            with suppress(ConditionFailed):  # another was first
                await self.store.transact(Put(Gate(owner=owner, turn=1), when=(Absent(),)))
        return Update(Gate, (owner,), add={"turn": 1})
