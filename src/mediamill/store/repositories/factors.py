"""Second factors: the authenticator app of a user, and the codes for when it is lost.

One row has all of a user's, so one conditional write settles every race: of a code that is used
twice, of two that set up, of codes that are made anew while one is used.
"""

from collections.abc import Sequence
from contextlib import suppress

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Action, AtLeast, AtMost, Delete, Equals, Put, Store, Update
from mediamill.store.repositories.users import User


class Factor(Record, frozen=True, kw_only=True):
    """What a user proves beside the password: the present code of an app (RFC 6238)."""

    table = "factors"
    key = Key("user")
    sealed = ("secret",)
    indexes = (Index("factor_sealed", partition=("sealed_by",), sort=("user",)),)

    user: str
    id: str
    secret: str
    """What app and service share, base 32, sealed."""
    sealed_by: str
    created: int
    since: int | None = None
    """When it was turned on (ms); None while it is being set up and nothing asks for it."""
    step: int = 0
    """The last time step of which a code was taken: no earlier one is, nor this one again."""
    recovery: tuple[str, ...] = ()
    """SHA-256 of the recovery codes that are left."""
    revision: int = 0
    """Changes with `recovery`."""


class Factors:
    """Reads and guarded writes of second factors."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, user: str) -> Factor | None:
        return await self.store.get(Factor, user)

    async def begin(self, factor: Factor) -> bool:
        """Keep one that is being set up, in place of another such; False where one is on."""
        for guard in (Absent(), Equals("since", None)):
            with suppress(ConditionFailed):
                await self.store.transact(Put(factor, when=(guard,)))
                return True
        return False

    def turning_on(
        self, factor: Factor, now: int, step: int, recovery: Sequence[str]
    ) -> tuple[Action, ...]:
        """Make what turns on one that was set up; fails where another was begun, or is on."""
        same = (Equals("id", factor.id), Equals("since", None))
        changes = {"since": now, "step": step, "recovery": tuple(recovery)}
        on = Update(Factor, (factor.user,), set=changes, when=same)
        return on, Update(User, (factor.user,), set={"factor": now})

    def removing(self, user: str) -> tuple[Action, ...]:
        """Make what removes a user's; fails where none is on."""
        gone = Delete(Factor, (user,), when=(AtLeast("since", 0),))
        return gone, Update(User, (user,), set={"factor": None})

    async def take_step(self, factor: Factor, step: int) -> bool:
        """Take the code of a time step; False for one that is not later than the last taken."""
        fresh = (Equals("id", factor.id), AtMost("step", step - 1))
        return await self._done(Update(Factor, (factor.user,), set={"step": step}, when=fresh))

    async def set_recovery(self, factor: Factor, recovery: Sequence[str]) -> bool:
        """Replace the recovery codes of one as it was read; False where they changed meanwhile."""
        same = (Equals("id", factor.id), Equals("revision", factor.revision))
        left = {"recovery": tuple(recovery)}
        change = Update(Factor, (factor.user,), set=left, add={"revision": 1}, when=same)
        return await self._done(change)

    async def _done(self, change: Update) -> bool:
        try:
            await self.store.transact(change)
        except ConditionFailed:
            return False
        return True
