"""API tokens: what programs show instead of a password, until they are revoked."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import DAY, rfc3339
from mediamill.core.errors import Forbidden
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.mailed import Mailed
from mediamill.services.accounts.passwords import clean_name, invalid
from mediamill.services.accounts.scopes import granted
from mediamill.services.accounts.sessions import Issued, Sessions
from mediamill.store.port import Page, Put
from mediamill.store.repositories.users import Token, TokenKind

MAX_TOKEN_DAYS = 3650
NO_TOKENS = (
    "An access token of the issuer’s makes no API tokens, which would outlive it: sign in on the "
    "page, or use `mediamill login`."
)


@dataclass(frozen=True)
class ApiTokens:
    """Makes, lists and revokes a caller's own."""

    mailed: Mailed

    @property
    def sessions(self) -> Sessions:
        return self.mailed.sessions

    async def issue(
        self,
        principal: Principal,
        name: str,
        expires_in_days: int | None = None,
        scopes: Sequence[str] | None = None,
        *,
        told: bool = True,
    ) -> Issued:
        """Make one; without days it is good until revoked.

        Without scopes it may do all that its maker may. One that an API token makes lasts no
        longer than that, and may do no more. Raises `InvalidInput` when it is to last longer,
        `Forbidden` for more scopes, and for a caller who showed an issuer's token: it would last
        longer. A mail tells of what a session makes; a token makes no new way in. It tells of none
        that the service makes for its own machine (`told`).
        """
        if not principal.session and not principal.token:
            raise Forbidden(NO_TOKENS)
        shown = clean_name(name)
        if not shown:
            raise invalid("name", "A token needs a name that tells what it is for.")
        if expires_in_days is not None and not 1 <= expires_in_days <= MAX_TOKEN_DAYS:
            raise invalid("expires_in_days", f"It lasts 1 to {MAX_TOKEN_DAYS} days.")
        lifetime = self._lifetime(principal, expires_in_days)
        issued = self.sessions.issue(
            principal.user, TokenKind.API, lifetime, shown,
            epoch=principal.tenure, scopes=granted(principal, scopes),
        )  # fmt: skip
        news = AccountNews(letter="token_made", to=principal.user, about=shown)
        mails = [news] if told and principal.session else []
        await self.mailed.send(*mails, others=(Put(issued.token),))
        expires = issued.token.expires
        until = expires and rfc3339(expires)
        limits = issued.token.scopes
        note("token_made", principal.user, token=issued.token.id, until=until, scopes=limits)
        return issued

    async def list(
        self, principal: Principal, after: str | None = None, limit: int = 100
    ) -> Page[Token]:
        """List them, newest first."""
        return await self.sessions.users.tokens(principal.user, TokenKind.API, after, limit)

    async def revoke(self, principal: Principal, token_id: str) -> None:
        """End a token, or a session, of the caller's; raises `NotFound`.

        One that is so new that it is not listed yet is waited for, else `Unavailable`.
        """
        await self.sessions.end(principal.user, token_id, TokenKind.SESSION, TokenKind.API)

    def _lifetime(self, principal: Principal, days: int | None) -> int | None:
        """Return how long (ms) a new token lasts; one of a token's ends with that at the latest."""
        wanted = days * DAY if days else None
        if principal.session or principal.expires is None:
            return wanted
        left = principal.expires - self.sessions.clock.now()
        if wanted is not None and wanted > left:
            until = rfc3339(principal.expires)
            raise invalid(
                "expires_in_days",
                f"The token that makes it is good until {until}, and so is what it makes, at most. "
                "Leave the days out for that, or sign in on the page for a longer one.",
            )
        return left if wanted is None else wanted
