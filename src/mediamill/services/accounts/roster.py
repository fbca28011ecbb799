"""Who uses an installation: listed, found, kept out, let in, given roles, signed out.

Callers say whether an installation may be left without an administrator: over the API it may not,
at the machine itself it may, since there one can be made again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from mediamill.core.acts import note
from mediamill.core.clock import SystemClock
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.services.accounts.people import People
from mediamill.services.accounts.sessions import Sessions
from mediamill.store.port import Check, Equals, Page, Update
from mediamill.store.repositories.users import Role, User, Users, searchable

PAGE = 100
LAST = "They are the last administrator: give the role to somebody else first."


@dataclass(frozen=True)
class Roster:
    """All users."""

    users: Users

    async def page(
        self, start: str = "", role: Role | None = None, after: str | None = None, limit: int = PAGE
    ) -> Page[User]:
        """List users by role; with `start` those whose address or name begins so.

        Raises `ValueError` for what is no cursor.
        """
        return await self.users.roster(start, role, after, limit)

    async def all(self, start: str = "", role: Role | None = None) -> AsyncIterator[User]:
        """Walk them."""
        after: str | None = None
        while True:
            page = await self.page(start, role, after)
            for user in page.rows:
                yield user
            if (after := page.after) is None:
                return

    async def find(self, who: str) -> User:
        """Return the user with an id or an address; raises `NotFound`."""
        user = await (self.users.by_email(who) if "@" in who else self.users.get(who))
        if user is None:
            raise NotFound(f"There is no user {who}.")
        return user

    async def add(self, user: User) -> User:
        """Insert a user with the role that they have; raises `Conflict` for a taken address."""
        people = People(self.users, SystemClock())
        added = await people.add(user, may_be_first=False)
        note("user_added", added.id, role=added.role.value)
        if added.role is Role.ADMIN:
            await people.claim_first(added)
        return added

    async def disable(self, who: str, *, keep_one: bool = False) -> User:
        """Keep a user out, and end their sessions; raises `NotFound`, and `Conflict` for the last.

        Their API tokens are good for nothing until they are let in again.
        """
        user = await self._set(who, {"disabled": True}, keep_one=keep_one)
        note("user_disabled", user.id)
        await self._sessions.end_all(user.id)
        return user

    async def enable(self, who: str) -> User:
        """Let a user in again; raises `NotFound`."""
        user = await self._set(who, {"disabled": False})
        note("user_enabled", user.id)
        return user

    async def appoint(self, who: str, role: Role, *, keep_one: bool = False) -> User:
        """Give a user a role, which counts at once; raises `NotFound`, `Conflict` for the last."""
        user = await self._set(who, {"role": role}, keep_one=keep_one)
        note("role_changed", user.id, role=role.value)
        return user

    async def rename(self, who: str, name: str) -> User:
        """Give a user another name; raises `NotFound`."""
        user = await self._set(who, {"name": name, **searchable(name=name)})
        note("user_renamed", user.id)
        return user

    async def end_sessions(self, who: str) -> User:
        """Sign a user out everywhere; their API tokens stay. Raises `NotFound`."""
        user = await self.find(who)
        await self._sessions.end_all(user.id)
        return user

    async def set_password(self, who: str, hashed: str) -> User:
        """Give a user another password, which is hashed, and end their sessions and links.

        Raises `NotFound`.
        """
        while True:
            user = await self.find(who)
            first, *rest = self._sessions.ending(user)
            changes = {**first.set, "password": hashed, "reset_link": ""}
            try:
                await self.users.store.transact(replace(first, set=changes), *rest)
            except ConditionFailed:
                continue
            note("password_set", user.id)
            return user

    async def another(self, user: User) -> Check:
        """Make the guard that somebody else administers, for a change that ends that a user does.

        Of two that end each other's at the same time one fails. Raises `Conflict` for the last.
        """
        for other in await self.users.administrators():
            if other.id != user.id:
                in_charge = (Equals("role", Role.ADMIN), Equals("disabled", False))
                return Check(User, (other.id,), when=in_charge)
        raise Conflict(LAST)

    # -- inside ---------------------------------------------------------------------------------

    @property
    def _sessions(self) -> Sessions:
        return Sessions(self.users, SystemClock())

    async def _set(self, who: str, changes: dict[str, Any], *, keep_one: bool = False) -> User:
        """Change a user as they are now, however often they change meanwhile."""
        while True:
            user = await self.find(who)
            then = user.evolve(**changes)
            guards = []
            if keep_one and administers(user) and not administers(then):
                guards.append(await self.another(user))
            same = (Equals("role", user.role), Equals("disabled", user.disabled))
            change = Update(User, (user.id,), set=changes, when=same)
            try:
                await self.users.store.transact(change, *guards)
            except ConditionFailed:
                continue
            return then


def administers(user: User) -> bool:
    """Tell whether a user runs the service, and may sign in to do so."""
    return user.role is Role.ADMIN and not user.disabled
