"""Links that prove who reads an address, and the mails that bring them and tell of changes.

Of each kind a user has one link at a time, which their row names: a newer one, and a change of the
password, end it. It is made as its mail is written (`handlers/telling/accounts.py`), is good once,
and only its digest is kept.
"""

from dataclasses import dataclass

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.clock import DAY, MINUTE
from mediamill.core.errors import ConditionFailed, Unauthenticated, Unavailable
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.sessions import CHANGES, Sessions
from mediamill.store.port import Action, Delete, Equals, Exists, Put, Update
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.users import Token, TokenKind, User, Users

SPENT = "This link was used already, is too old, or there is a newer one: ask for another."


@dataclass(frozen=True)
class Kind:
    """A kind of link: how long it is good (ms), and which field of a user names the one."""

    token: TokenKind
    lifetime: int
    field: str


VERIFY = Kind(TokenKind.VERIFY, DAY, "verify_link")
RESET = Kind(TokenKind.RESET, 30 * MINUTE, "reset_link")
LINKS = {"verify": VERIFY, "verify_new": VERIFY, "reset": RESET}
"""Which letters bring a link."""


@dataclass(frozen=True)
class Mailed:
    """Sends such mails, and knows their links again."""

    users: Users
    units: Units
    sessions: Sessions
    bell: Doorbell

    async def send(self, *news: AccountNews, others: tuple[Action, ...] = ()) -> None:
        """Send mails, together with other actions; raises `ConditionFailed` for theirs."""
        now = await self.users.store.now()
        await self.units.insert([one.unit(now) for one in news], *others)
        if news:
            await self.bell.ring("work:notices")

    async def secret(self, news: AccountNews, user: User) -> str:
        """Make the secret that a mail brings to a user, at the address given with the user.

        Empty for a mail that brings none. What an earlier one brought is good for nothing then.
        Raises `Unavailable` while others change the account, and where its epoch is over.
        """
        if (kind := LINKS.get(news.letter)) is None:
            return ""
        for _ in range(CHANGES):
            if news.epoch not in (None, user.epoch):
                raise Unavailable("What this mail is about has ended a moment ago.")
            lifetime = kind.lifetime
            issued = self.sessions.issue(user.id, kind.token, lifetime, epoch=user.epoch)
            token = issued.token.evolve(sent_to=user.email)
            before = getattr(user, kind.field)
            same = (Equals(kind.field, before), Equals("epoch", user.epoch))
            named = Update(User, (user.id,), set={kind.field: token.digest}, when=same)
            gone = [Delete(Token, (before,))] if before else []
            try:
                await self.users.store.transact(named, Put(token), *gone)
            except ConditionFailed:
                found = await self.users.get(user.id)
                if found is None:
                    raise
                user = found.evolve(email=user.email)
            else:
                return issued.secret
        raise Unavailable("The account changes all the time: the mail is written later.")

    async def opened(self, secret: str, kind: Kind) -> tuple[Token, User]:
        """Return the token of a link, and whose it is; raises `Unauthenticated`."""
        token = await self.sessions.find(secret)
        if token is None or token.kind is not kind.token:
            raise Unauthenticated(SPENT)
        user = await self.users.get(token.user)
        current = user is not None and getattr(user, kind.field) == token.digest
        if user is None or user.disabled or not current or self.sessions.over(token, user):
            raise Unauthenticated(SPENT)
        return token, user

    def spending(self, token: Token) -> Delete:
        """Make the action that spends a link; it fails where another request was first."""
        return Delete(Token, (token.digest,), when=(Exists(),))
