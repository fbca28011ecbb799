"""The secrets by which people and programs prove who they are.

256 random bits behind a prefix that says what they are: `mms_…` a session, `mmt_…` an API token,
`mml_…` a one-time sign-in link. Only their SHA-256 is stored, so a copy of the database signs
nobody in.
"""

import hashlib
import secrets
from dataclasses import dataclass

import structlog

from mediamill.core.clock import DAY, Clock
from mediamill.core.ids import new_id
from mediamill.store.port import Action, Delete, Put
from mediamill.store.repositories.users import Token, TokenKind, User, Users

SESSION_DAYS = 14
PREFIXES = {TokenKind.SESSION: "mms_", TokenKind.API: "mmt_", TokenKind.SIGN_IN: "mml_"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Issued:
    """A new token and its secret, which is told this once."""

    secret: str
    token: Token


class Sessions:
    """Makes secrets and finds whose they are."""

    def __init__(self, users: Users, clock: Clock) -> None:
        self.users, self.clock = users, clock

    async def open(self, user: User, *others: Action) -> Issued:
        """Open a session, together with other actions; raises `ConditionFailed` for theirs."""
        issued = self.issue(user.id, TokenKind.SESSION, SESSION_DAYS * DAY)
        await self.users.store.transact(Put(issued.token), *others)
        await self._forget_expired(user.id)
        log.info("signed in", action="signed_in", user=user.id, token=issued.token.id)
        return issued

    def issue(self, user: str, kind: TokenKind, lifetime: int | None, name: str = "") -> Issued:
        """Make a token, which is not stored yet; without a lifetime (ms) it is good for ever."""
        secret = PREFIXES[kind] + secrets.token_urlsafe(32)
        now = self.clock.now()
        token = Token(
            digest=digest(secret),
            id=new_id("token"),
            user=user,
            kind=kind,
            name=name,
            created=now,
            expires=None if lifetime is None else now + lifetime,
        )
        return Issued(secret, token)

    async def find(self, secret: str) -> Token | None:
        """Find the token of a secret, unless it has expired."""
        if not secret.isascii() or len(secret) > 100:
            return None
        token = await self.users.token(digest(secret))
        return None if token is None or self._expired(token) else token

    def _expired(self, token: Token) -> bool:
        return token.expires is not None and token.expires <= self.clock.now()

    async def _forget_expired(self, user: str) -> None:
        """Remove some sessions that ran out, so that they do not pile up."""
        index = Token.index("token_user")
        page = await self.users.store.query(Token, index, user, TokenKind.SESSION, limit=50)
        if old := [Delete(Token, (token.digest,)) for token in page.rows if self._expired(token)]:
            await self.users.store.transact(*old)


def digest(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
