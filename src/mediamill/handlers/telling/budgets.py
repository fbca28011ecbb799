"""`budget`, `mail_budget`: tell whose budget of a month is spent how far, each part once.

A user's own they are told of; the administrators of the budget of all. The unit `budget` was
inserted with the spending itself (`engine/asking/booking.py`); `Notify` hands it to the channels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mediamill.adapters.mail.port import Letter, Post
from mediamill.engine.asking.booking import KIND, BudgetNews
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.handlers.telling.mailing import AT_ONCE, PATIENCE, TO, Mailing, mailable
from mediamill.letters.budget import BudgetLetters
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.spending import EVERYBODY
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User, Users


@dataclass
class BudgetMailChannel:
    """Says who gets a mail about a budget."""

    users: Users
    mails: Mails
    post: Post

    async def units(self, notice: Unit, now: int) -> Sequence[Unit]:
        if KIND not in notice.payload:
            return ()
        told = {KIND: notice.payload[KIND]}
        return [
            Unit.notice(
                "mail_budget", f"{notice.group}:mail:{user.id}", 0, notice.owner, now=now,
                **told, **{TO: user.id},
            )
            for user in await self._whose(notice.owner)
            if await mailable(self.mails, self.post, user)
        ]  # fmt: skip

    async def _whose(self, scope: str) -> Sequence[User]:
        if scope == EVERYBODY:
            return await self.users.administrators()
        user = await self.users.get(scope)
        return () if user is None else (user,)


@dataclass
class BudgetMail(Mailing):
    """Sends mails about budgets; their rows are gone when they are."""

    users: Users
    mails: Mails
    letters: BudgetLetters
    post: Post
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy: RetryPolicy = PATIENCE
    pause: Pause = field(default_factory=Pause)
    gates: Gates = field(default_factory=lambda: Gates(AT_ONCE))

    async def gone(self, unit: Unit) -> str:
        return ""

    async def letter(self, unit: Unit, user: User) -> Letter:
        news = BudgetNews(**unit.payload[KIND])
        return await self.letters.write(user, news, unit.created)

    async def end(self, lease: Lease, error: str) -> None:
        await lease.vanish()
