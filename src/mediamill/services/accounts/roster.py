"""Who uses an installation, as its operator sees it: listed, kept out, let in again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mediamill.core.errors import Conflict, NotFound
from mediamill.store.port import MAX_ACTIONS, Delete, Exists, Update, Walks
from mediamill.store.repositories.users import Token, TokenKind, User, Users


@dataclass(frozen=True)
class Roster:
    """All users."""

    users: Users

    async def all(self) -> AsyncIterator[User]:
        """List all users, in the order of their ids; raises `Conflict` where no store can."""
        store = self.users.store
        if not isinstance(store, Walks):
            raise Conflict("This store cannot list all users: name one by its address or id.")
        after: tuple[str, ...] | None = None
        while page := await store.walk(User, after):
            for user in page:
                yield user
            after = (page[-1].id,)

    async def find(self, who: str) -> User:
        """Return the user with an id or an address; raises `NotFound`."""
        user = await (self.users.by_email(who) if "@" in who else self.users.get(who))
        if user is None:
            raise NotFound(f"There is no user {who}.")
        return user

    async def disable(self, who: str) -> User:
        """Keep a user out, and end their sessions; raises `NotFound`.

        Their API tokens are good for nothing until they are let in again.
        """
        user = await self._set(who, disabled=True)
        for kind in (TokenKind.SESSION, TokenKind.SIGN_IN):
            await self._end(user, kind)
        return user

    async def enable(self, who: str) -> User:
        """Let a user in again; raises `NotFound`."""
        return await self._set(who, disabled=False)

    async def _set(self, who: str, *, disabled: bool) -> User:
        user = await self.find(who)
        change = Update(User, (user.id,), set={"disabled": disabled}, when=(Exists(),))
        await self.users.store.transact(change)
        return user.evolve(disabled=disabled)

    async def _end(self, user: User, kind: TokenKind) -> None:
        """Remove all tokens of a kind."""
        after: str | None = None
        while True:
            page = await self.users.tokens(user.id, kind, after, MAX_ACTIONS)
            if ended := [Delete(Token, (token.digest,)) for token in page.rows]:
                await self.users.store.transact(*ended)
            if (after := page.after) is None:
                return
