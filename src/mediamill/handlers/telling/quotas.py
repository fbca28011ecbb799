"""`quota`, `mail_quota`: tell users that most, or all, of a quota of theirs is used.

The unit `quota` is inserted by who took what passed the mark; `Notify` hands it to the channels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mediamill.adapters.mail.port import Letter, Post
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.handlers.telling.mailing import AT_ONCE, PATIENCE, TO, Mailing, mailable
from mediamill.letters.quota import QuotaLetters
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.quota_notices import KIND, QuotaNews
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User, Users


@dataclass
class QuotaMailChannel:
    """Has the user get a mail, if they want any."""

    users: Users
    mails: Mails
    post: Post

    async def units(self, notice: Unit, now: int) -> Sequence[Unit]:
        if KIND not in notice.payload:
            return ()
        user = await self.users.get(notice.owner)
        if user is None or not await mailable(self.mails, self.post, user):
            return ()
        told = {KIND: notice.payload[KIND], TO: user.id}
        return [Unit.notice("mail_quota", f"{notice.group}:mail", 0, notice.owner, now=now, **told)]


@dataclass
class QuotaMail(Mailing):
    """Sends mails about quotas; their rows are gone when they are."""

    users: Users
    mails: Mails
    letters: QuotaLetters
    post: Post
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy: RetryPolicy = PATIENCE
    pause: Pause = field(default_factory=Pause)
    gates: Gates = field(default_factory=lambda: Gates(AT_ONCE))

    async def gone(self, unit: Unit) -> str:
        return ""

    async def letter(self, unit: Unit, user: User) -> Letter:
        return await self.letters.write(user, QuotaNews(**unit.payload[KIND]), unit.created)

    async def end(self, lease: Lease, error: str) -> None:
        await lease.vanish()
