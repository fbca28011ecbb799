"""`notify`, `mail_webhook`: tell an owner that a webhook of theirs was disabled, or takes nothing.

The notice is inserted as the webhook is disabled, or has failed for long
(`handlers/telling/failing.py`); `Notify` hands it to the channels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mediamill.adapters.mail.port import Letter, Post
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.handlers.telling.mailing import AT_ONCE, PATIENCE, Mailing, mailable
from mediamill.letters.webhook import WebhookLetters
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User, Users
from mediamill.store.repositories.webhooks import Webhook, Webhooks

NEWS, FAILING = "webhook", "failing"
"""What a notice says: which webhook, and of one that is not disabled since when it fails (ms)."""


def disabled(webhook: Webhook, reason: str, now: int) -> tuple[Update, Unit]:
    """Make the action that disables a webhook, and the unit that has its owner told."""
    gone = {"enabled": False, "reason": reason, "changed": now}
    same = (Equals("revision", webhook.revision),)  # so it is told once
    off = Update(Webhook, webhook.key_values(), set=gone, add={"revision": 1}, when=same)
    group = f"disabled:{webhook.id}:{webhook.revision}"
    return off, Unit.notice("notify", group, 0, webhook.owner, now=now, **{NEWS: webhook.id})


@dataclass
class WebhookMailChannel:
    """Says whether an owner gets a mail about a webhook."""

    users: Users
    mails: Mails
    post: Post

    async def units(self, notice: Unit, now: int) -> Sequence[Unit]:
        if NEWS not in notice.payload:
            return ()
        user = await self.users.get(notice.owner)
        if user is None or not await mailable(self.mails, self.post, user):
            return ()
        told, group = dict(notice.payload), f"{notice.group}:mail"
        return (Unit.notice("mail_webhook", group, notice.seq, user.id, now=now, **told),)


@dataclass
class WebhookMail(Mailing):
    """Sends mails about webhooks; their rows are gone when they are."""

    webhooks: Webhooks
    users: Users
    mails: Mails
    letters: WebhookLetters
    post: Post
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy: RetryPolicy = PATIENCE
    pause: Pause = field(default_factory=Pause)
    gates: Gates = field(default_factory=lambda: Gates(AT_ONCE))

    async def gone(self, unit: Unit) -> str:
        webhook = await self.webhooks.get(unit.owner, unit.payload[NEWS])
        if webhook is None:
            return "It was deleted."
        since = unit.payload.get(FAILING)
        holds = not webhook.enabled if since is None else webhook.enabled
        return "" if holds and since in (None, webhook.failing) else "It is otherwise by now."

    async def letter(self, unit: Unit, user: User) -> Letter:
        webhook = await self.webhooks.need(user.id, unit.payload[NEWS])
        return await self.letters.write(user, webhook, unit.created)

    async def end(self, lease: Lease, error: str) -> None:
        await lease.vanish()
