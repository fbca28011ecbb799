"""Becoming somebody: users are added here, whatever proved who they are."""

from contextlib import suppress

from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed, Conflict, Unauthenticated
from mediamill.core.ids import new_id
from mediamill.store.port import Absent, Action, Equals, Put
from mediamill.store.repositories.audit import NOBODY
from mediamill.store.repositories.users import FIRST_USER, Email, Role, User, Users


class People:
    """Adds users, and tells who is one."""

    def __init__(self, users: Users, clock: Clock) -> None:
        self.users, self.clock = users, clock

    async def active(self, user_id: str) -> User:
        """Return a user who may use the service; raises `Unauthenticated`."""
        user = await self.users.get(user_id)
        if user is None or user.disabled:
            raise Unauthenticated("This account is not active; ask the administrator.")
        return user

    def named(self, address: str, **details: str) -> User:
        """Make a user, who is not stored yet; without an address nobody can write to them."""
        now = self.clock.now()
        return User(id=new_id("user"), email=address, created=now, **details)  # type: ignore[arg-type]  # only text is given

    async def add(self, user: User, *others: Action, may_be_first: bool = True) -> User:
        """Insert a user, as administrator if nobody was first before.

        Raises `Conflict` when the address is taken, `ConditionFailed` for the other actions.
        """
        if may_be_first and await self.users.store.get(Email, FIRST_USER) is None:
            first, claim = user.evolve(role=Role.ADMIN), Email(email=FIRST_USER, user=user.id)
            try:
                await self._insert(first, *others, Put(claim, when=(Absent(),)))
            except ConditionFailed:  # somebody else was first, or it fails again below
                pass
            else:
                return first
        await self._insert(user, *others)
        return user

    async def claim_first(self, user: User) -> None:
        """Make a user the installation's first, who administers already, if nobody is.

        Nobody was before, or the last one who administered was erased (`privacy/erasing.py`).
        """
        claim = Email(email=FIRST_USER, user=user.id)
        for free in (Absent(), Equals("user", NOBODY)):
            with suppress(ConditionFailed):
                await self.users.store.transact(Put(claim, when=(free,)))
                return

    async def _insert(self, user: User, *others: Action) -> None:
        try:
            await self.users.add(user, *others)
        except ConditionFailed as error:
            if user.email and error.action == 0:
                raise Conflict("There is an account with this address already.") from None
            raise
