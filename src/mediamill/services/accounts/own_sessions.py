"""A caller's own sessions: where they are signed in, and how they end it there."""

from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.errors import Forbidden, Unauthenticated
from mediamill.services.accounts.sessions import Sessions
from mediamill.store.port import Page
from mediamill.store.repositories.users import Token, TokenKind, User, Users


@dataclass(frozen=True)
class OwnSessions:
    """Lists and ends sessions; what is ended is refused everywhere at once."""

    users: Users
    sessions: Sessions

    async def list(self, principal: Principal, after: str | None, limit: int) -> Page[Token]:
        """List where the caller is signed in, newest first."""
        user = await self._user(principal)
        page = await self.users.tokens(user.id, TokenKind.SESSION, after, limit)
        return Page(tuple(t for t in page.rows if not self.sessions.over(t, user)), page.after)

    async def end(self, principal: Principal, session_id: str) -> None:
        """End a session of the caller's; raises `NotFound`."""
        await self.sessions.end(principal.user, session_id, TokenKind.SESSION)

    async def end_others(self, principal: Principal, secret: str) -> None:
        """End all sessions of the caller's but the one that asks, which is `secret`.

        Raises `Forbidden` for a program's token, `Unauthenticated` where it has ended meanwhile.
        """
        if not principal.session:
            raise Forbidden("Only who is signed in can end all other sessions.")
        keep = await self.sessions.shown(principal, secret)
        await self.sessions.end_all(principal.user, keep)

    async def _user(self, principal: Principal) -> User:
        user = await self.users.get(principal.user)
        if user is None:
            raise Unauthenticated("This account is not active; ask the administrator.")
        return user
