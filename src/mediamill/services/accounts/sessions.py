"""The secrets by which people and programs prove who they are.

256 random bits behind a prefix that says what they are: `mms_…` a session, `mmt_…` an API token,
`mml_…` a one-time sign-in link. Only their SHA-256 is stored, so a copy of the database signs
nobody in.

A user's sessions and links are of an epoch, which the user's row counts. Counting it up ends them
all in one write, on every server at once, however many there are and whatever is being opened
meanwhile. API tokens are of a tenure likewise: it goes on when an account comes to who had first
to show that its address is theirs.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal
from mediamill.core.acts import note, origin
from mediamill.core.clock import DAY, MINUTE, Clock
from mediamill.core.errors import (
    ConditionFailed,
    MediamillError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from mediamill.core.ids import made_at, new_id
from mediamill.store.port import (
    MAX_ACTIONS,
    Action,
    Delete,
    Equals,
    Put,
    Update,
    unsettled,
)
from mediamill.store.repositories.users import Token, TokenKind, User, Users

SESSION_DAYS = 14
LOOKS, BETWEEN_LOOKS = 10, 0.2
"""How often a token that is not listed yet is looked for, and seconds between."""
CHANGES = 20
"""How often a change is made anew, of what others change at the same moment."""
ENDED = "This session or token has ended meanwhile: sign in again."
USED_EVERY = 10 * MINUTE
"""How exactly (ms) it is known when a token was used: a request seldom costs a write."""
EPOCHAL = (TokenKind.SESSION, TokenKind.SIGN_IN, TokenKind.VERIFY, TokenKind.RESET)
"""Kinds that end with the epoch; API tokens are revoked, or end with the tenure."""
PREFIXES = {
    TokenKind.SESSION: "mms_", TokenKind.API: "mmt_", TokenKind.SIGN_IN: "mml_",
    TokenKind.VERIFY: "mmv_", TokenKind.RESET: "mmr_",
}  # fmt: skip

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
        lifetime = SESSION_DAYS * DAY
        issued = self.issue(user.id, TokenKind.SESSION, lifetime, epoch=user.epoch)
        await self.users.store.transact(Put(issued.token), *others)
        await self._forget_over(user)
        note("signed_in", user.id, actor=user.id, token=issued.token.id)
        return issued

    def issue(
        self,
        user: str,
        kind: TokenKind,
        lifetime: int | None,
        name: str = "",
        *,
        epoch: int = 0,
        scopes: tuple[str, ...] | None = None,
    ) -> Issued:
        """Make a token, which is not stored yet; without a lifetime (ms) it is good for ever.

        `epoch` is the user's, for what ends with it (`EPOCHAL`); for an API token the tenure.
        """
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
            epoch=epoch,
            scopes=scopes,
            agent=origin().agent,
            address=origin().address,
        )
        return Issued(secret, token)

    async def find(self, secret: str) -> Token | None:
        """Find the token of a secret, unless it has expired."""
        if not secret.isascii() or len(secret) > 100:
            return None
        token = await self.users.token(digest(secret))
        return None if token is None or self._expired(token) else token

    async def shown(self, principal: Principal, secret: str) -> Token:
        """Return what a caller showed, by its secret; raises `Unauthenticated` if it is over."""
        token = await self.users.token(digest(secret))
        if token is None or (token.user, token.id) != (principal.user, principal.token):
            raise Unauthenticated(ENDED)
        return token

    async def listed(self, user: str, token_id: str, *kinds: TokenKind) -> Token:
        """Find a token of a user by its id; raises `NotFound`.

        One that is so new that it is not listed yet is waited for, else `Unavailable`.
        """
        for _ in range(LOOKS):
            for kind in kinds:
                if token := await self.users.token_by_id(user, kind, token_id):
                    return token
            if not await unsettled(self.users.store, made_at(token_id)):
                raise NotFound(f"There is no token {token_id}.")
            await asyncio.sleep(BETWEEN_LOOKS)
        raise Unavailable("The token is so new that it is not found yet: try again in a moment.")

    async def end(self, user: str, token_id: str, *kinds: TokenKind) -> None:
        """End a session or revoke a token of a user's; raises as `listed` does."""
        await self.remove(await self.listed(user, token_id, *kinds))

    async def remove(self, token: Token) -> None:
        """End a session, or revoke a token."""
        await self.users.store.transact(Delete(Token, (token.digest,)))
        ended = "signed_out" if token.kind is TokenKind.SESSION else "token_revoked"
        note(ended, token.user, token=token.id)

    async def used(self, token: Token) -> None:
        """Note that a token was shown, unless that was noted a moment ago."""
        now = self.clock.now()
        if now - (token.used or token.created) < USED_EVERY:
            return
        same = (Equals("used", token.used),)
        try:
            change = Update(Token, (token.digest,), set={"used": now}, when=same)
            await self.users.store.transact(change)
        except ConditionFailed:
            return  # another request of theirs has noted it, or ended it
        except MediamillError as error:  # it is not what they came for
            log.warning("use not noted", action="use_not_noted", error=error.message)

    def ending(self, user: User, keep: Token | None = None) -> list[Update]:
        """Make what ends all sessions and links of a user, but for the one to `keep`.

        The first changes the user's row.

        Together with others, in one transaction: it fails (`ConditionFailed`) where they were
        ended meanwhile, the one to keep among them. What is over is forgotten as sessions are
        opened.
        """
        next_one, same = {"epoch": user.epoch + 1}, (Equals("epoch", user.epoch),)
        ending = [Update(User, (user.id,), set=next_one, when=same)]
        if keep is not None:
            ending.append(Update(Token, (keep.digest,), set=next_one, when=same))
        return ending

    async def end_all(self, user_id: str, keep: Token | None = None) -> None:
        """End all sessions and sign-in links of a user, but for the one to `keep`.

        Raises `Unauthenticated` where that one is over itself: nothing that was ended comes back.
        """
        for _ in range(CHANGES):
            if (user := await self.users.get(user_id)) is None:
                return
            if keep is not None:
                await self._need_current(keep, user)
            try:
                await self.users.store.transact(*self.ending(user, keep))
            except ConditionFailed:
                continue
            note("sessions_ended", user_id)
            await self.forget(user.evolve(epoch=user.epoch + 1))
            return
        raise Unavailable("The account changes all the time: try again in a moment.")

    def over(self, token: Token, user: User) -> bool:
        """Tell whether a token is of a time of its user's that is over, or has expired."""
        present = user.epoch if token.kind in EPOCHAL else user.tenure
        return self._expired(token) or token.epoch < present

    async def forget(self, user: User) -> None:
        """Remove all that is over of a user's, which opens nothing any more."""
        for kind in TokenKind:
            after: str | None = None
            while True:
                after = await self._forget_over(user, kind, after)
                if after is None:
                    break

    async def _need_current(self, token: Token, user: User) -> None:
        """Raise `Unauthenticated` unless a session of a user's is good now."""
        found = await self.users.token(token.digest)
        if found is None or self.over(found, user):
            raise Unauthenticated(ENDED)

    def _expired(self, token: Token) -> bool:
        return token.expires is not None and token.expires <= self.clock.now()

    async def _forget_over(
        self, user: User, kind: TokenKind = TokenKind.SESSION, after: str | None = None
    ) -> str | None:
        """Remove the oldest that are over, so that they do not pile up; return where to go on."""
        page = await self.users.store.query(
            Token, Token.index("token_user"), user.id, kind, after=after, limit=MAX_ACTIONS
        )
        if old := [Delete(Token, (token.digest,)) for token in page.rows if self.over(token, user)]:
            await self.users.store.transact(*old)
        return page.after


def digest(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
