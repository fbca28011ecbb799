"""Who uses an installation: listed, found, kept out, let in, given roles, signed out.

Callers say whether an installation may be left without an administrator: over the API it may not,
at the machine itself it may, since there one can be made again.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, Self

from mediamill.core.acts import note
from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.services.accounts.people import People
from mediamill.services.accounts.sessions import Sessions
from mediamill.store.port import Action, Check, Equals, Page, Update
from mediamill.store.repositories.erasures import Erasure, ErasureState
from mediamill.store.repositories.users import Role, Token, TokenKind, User, Users, searchable

PAGE = 100
LAST = "They are the last administrator: give the role to somebody else first."
IN_CHARGE = (Equals("role", Role.ADMIN), Equals("disabled", False), Equals("erasing", None))
"""What holds of a user who runs the service, and may sign in to do so."""
CLOSING = "The account is being deleted: take that back first."
TRIES = 20
"""How often a change is begun anew that another one came before."""
BUSY = "The account is being changed by others at this moment: try again."


@dataclass(frozen=True)
class Roster:
    """All users."""

    people: People
    sessions: Sessions

    @classmethod
    def over(cls, users: Users, clock: Clock) -> Self:
        """Make it over their rows."""
        return cls(People(users, clock), Sessions(users, clock))

    @property
    def users(self) -> Users:
        """Their rows."""
        return self.people.users

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
        added = await self.people.add(user, may_be_first=False)
        note("user_added", added.id, role=added.role.value)
        if added.role is Role.ADMIN:
            await self.people.claim_first(added)
        return added

    async def change(
        self,
        who: str,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        name: str | None = None,
        customer: str | None = None,
        keep_one: bool = False,
    ) -> User:
        """Change what is given, all of it or nothing; it counts at once.

        Who is kept out is signed out too, and their API tokens are good for nothing until they are
        let in again. Of an account that is being deleted it says that it stays shut if that is
        taken back. What was so already is no act. Raises `NotFound`, and `Conflict` for the last
        administrator, and to let somebody in whose account is being deleted.
        """
        wanted = {"role": role, "disabled": disabled, "name": name, "customer": customer}
        changes = {field: value for field, value in wanted.items() if value is not None}
        found = searchable(name=name)
        before, user = await self._set(who, changes | found, keep_one=keep_one)
        if user.role is not before.role:
            note("role_changed", user.id, role=user.role.value)
        if administers(user) and not administers(before):
            await self.people.claim_first(user)
        if user.disabled != before.disabled or (disabled and user.erasing):
            note("user_disabled" if disabled else "user_enabled", user.id)
        if user.name != before.name:
            note("user_renamed", user.id)
        if user.customer != before.customer:
            note("customer_set", user.id, customer=user.customer)
        if disabled:
            await self.sessions.end_all(user.id)
        return user

    async def end_sessions(self, who: str) -> User:
        """Sign a user out everywhere; their API tokens stay. Raises `NotFound`."""
        user = await self.find(who)
        await self.sessions.end_all(user.id)
        return user

    async def tokens(self, who: str) -> AsyncIterator[Token]:
        """Walk a user's API tokens that are good, newest first; raises `NotFound`."""
        user, after = await self.find(who), None
        while True:
            page = await self.users.tokens(user.id, TokenKind.API, after, PAGE)
            for token in page.rows:
                if not self.sessions.over(token, user):
                    yield token
            if (after := page.after) is None:
                return

    async def revoke(self, who: str, token: str) -> None:
        """Revoke an API token of a user's, or end a session; raises `NotFound`, `Unavailable`."""
        user = await self.find(who)
        await self.sessions.end(user.id, token, TokenKind.API, TokenKind.SESSION)

    async def revoke_all(self, who: str) -> User:
        """End all that opens a user's account but the password: API tokens, sessions, links.

        Raises `NotFound`.
        """
        user = await self._ending(who, lambda user: {"tenure": user.tenure + 1})
        note("tokens_revoked", user.id)
        return user

    async def set_password(self, who: str, hashed: str) -> User:
        """Give a user another password, which is hashed, and end their sessions and links.

        Raises `NotFound`.
        """
        user = await self._ending(who, lambda _: {"password": hashed, "reset_link": ""})
        note("password_set", user.id)
        return user

    async def another(self, user: User) -> Check:
        """Make the guard that somebody else administers, for a change that ends that a user does.

        Of two that end each other's at the same time one fails. Raises `Conflict` for the last.
        """
        for other in await self.users.administrators():
            if other.id != user.id:
                return Check(User, (other.id,), when=IN_CHARGE)
        raise Conflict(LAST)

    # -- inside ---------------------------------------------------------------------------------

    async def _ending(self, who: str, changes: Callable[[User], dict[str, Any]]) -> User:
        """Change a user, and end their sessions and links in the same write."""
        for _ in range(TRIES):
            user = await self.find(who)
            first, *rest = self.sessions.ending(user)
            first = replace(first, set={**first.set, **changes(user)})
            try:
                await self.users.store.transact(first, *rest)
            except ConditionFailed:
                continue
            await self.sessions.forget(user.evolve(**first.set))
            return user
        raise Conflict(BUSY)

    async def _set(
        self, who: str, changes: dict[str, Any], *, keep_one: bool = False
    ) -> tuple[User, User]:
        """Change a user, who may change meanwhile; return them as they were, and as they are."""
        for _ in range(TRIES):
            user = await self.find(who)
            then = user.evolve(**changes)
            others: list[Action] = []
            if user.erasing is not None and "disabled" in changes:
                others.append(_stays_shut(user.erasing, shut=changes["disabled"]))
            if keep_one and administers(user) and not administers(then):
                others.append(await self.another(user))
            same = tuple(Equals(one, getattr(user, one)) for one in ("role", "disabled", "erasing"))
            change = Update(User, (user.id,), set=changes, when=same)
            try:
                await self.users.store.transact(change, *others)
            except ConditionFailed:
                continue
            return user, then
        raise Conflict(BUSY)


def administers(user: User) -> bool:
    """Tell whether a user runs the service, and may sign in to do so."""
    return user.role is Role.ADMIN and not user.disabled


def _stays_shut(erasure: str, *, shut: bool) -> Update:
    """Make what keeps an account shut also if its deletion is taken back.

    Raises `Conflict` where it is to be opened.
    """
    if not shut:
        raise Conflict(CLOSING)
    waiting = (Equals("state", ErasureState.WAITING),)
    return Update(Erasure, (erasure,), set={"barred": True}, when=waiting)
