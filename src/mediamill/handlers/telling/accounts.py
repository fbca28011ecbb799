"""`mail_account`: tell somebody of their account, or prove that an address is theirs.

A link's secret is made as its mail is written, and stored nowhere but as its digest: what waits in
the queue opens nothing. Whether anybody has an address is found out here, and not by the request
that named it: so that takes as long for an address that nobody has.
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from mediamill.adapters.mail.port import Letter, Post
from mediamill.core.clock import HOUR, MINUTE, SECOND
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.handlers.telling.mailing import AT_ONCE, Mailing, leads_somewhere
from mediamill.letters.account import WORDINGS, AccountLetters, AccountNews
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User, Users

PATIENCE = RetryPolicy(base_ms=5 * SECOND, cap_ms=MINUTE, lasting_ms=HOUR)
"""Who waits for a link asks for another sooner or later."""

COUNTED = ("", *(name for name, wording in WORDINGS.items() if not wording.asked))
"""Letters that are counted by themselves, after those that are counted together."""

Secret = Callable[[AccountNews, User], Awaitable[str]]
"""Makes the secret that a mail brings to a user, at the address that the user has here."""


@dataclass
class AccountMail(Mailing):
    """Sends mails about accounts; their rows are gone when they are."""

    users: Users
    mails: Mails
    letters: AccountLetters
    secret: Secret
    post: Post
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy: RetryPolicy = PATIENCE
    pause: Pause = field(default_factory=Pause)
    gates: Gates = field(default_factory=lambda: Gates(AT_ONCE))

    async def reader(self, unit: Unit) -> User | None:
        news = news_of(unit)
        if not news.to:
            return await self.users.by_email(news.address)
        user = await self.users.get(news.to)
        return user.evolve(email=news.address) if user is not None and news.address else user

    async def unwelcome(self, user: User) -> str:
        return "" if leads_somewhere(self.post, user.email) else "No mail can go to this address."

    def counter(self, unit: Unit, user: User) -> str | None:
        """Count what strangers can cause, and whatever goes to an address that may be anybody's.

        Apart from each other: so who asks for links again and again keeps no word of a theft back.
        """
        letter = news_of(unit).letter
        if WORDINGS[letter].asked:
            return counter_of(user.email)
        return counter_of(user.email, letter) if user.verified is None else None

    async def gone(self, unit: Unit) -> str:
        news = news_of(unit)
        user = None if news.epoch is None else await self.users.get(news.to)
        over = user is not None and user.epoch != news.epoch
        return "The password was changed, or all sessions were ended, meanwhile." if over else ""

    async def letter(self, unit: Unit, user: User) -> Letter:
        news = news_of(unit)
        instead = WORDINGS[news.letter].taken
        if instead and await self.users.by_email(user.email) is not None:
            news = msgspec.structs.replace(news, letter=instead)
        secret = await self.secret(news, user)
        key = unit.group.replace(":", ".")
        return self.letters.write(news, user.email, secret, key, unit.created)

    async def end(self, lease: Lease, error: str) -> None:
        await lease.vanish()


def news_of(unit: Unit) -> AccountNews:
    """Return what a unit is to tell."""
    return msgspec.convert(unit.payload, AccountNews)


def counter_of(address: str, letter: str = "") -> str:
    """Return by what mails about accounts are counted that go to an address.

    Those that strangers can cause together, each of the others by its letter.
    """
    whose = f"{letter}\n{address.lower()}" if letter else address.lower()
    return f"account:{hashlib.sha256(whose.encode()).hexdigest()[:32]}"
