"""The mail about a webhook that was disabled, or takes nothing: which, why, and how to mend it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mediamill.adapters.mail.port import Letter
from mediamill.core.clock import DAY, rfc3339
from mediamill.letters.paper import Paper
from mediamill.store.repositories.users import User
from mediamill.store.repositories.webhooks import DISABLED_MS, Webhook

AHEAD = f"One that takes nothing for {DISABLED_MS // DAY} days is disabled."
MEND = "See what it answers, have what failed sent again once it works, or delete it:"
ENABLE = "See what became of deliveries, enable it again, or delete it:"


@dataclass
class WebhookLetters:
    """Writes mails about webhooks."""

    public: str
    """The address that users see, without a slash at its end."""
    unsubscribe: Callable[[str], Awaitable[str]]
    """Gives the address by which a user wants no more mails."""

    async def write(self, user: User, webhook: Webhook, at: int) -> Letter:
        """Write to a user what became of a webhook at a time (ms): it is disabled, or fails."""
        host = urlsplit(webhook.url).hostname or ""
        title = f"Your webhook to {host}"
        told = {
            **(_fails(webhook.failing or at) if webhook.enabled else _is_off(webhook.reason)),
            "title": title,
            "description": webhook.description,
            "webhooks_url": f"{self.public}/webhooks/{webhook.id}",
        }
        paper = Paper(self.public, await self.unsubscribe(user.id))
        occasion = f"failing-{webhook.failing}" if webhook.enabled else webhook.revision
        key, subject = f"{webhook.id}.{occasion}", f"{title} {told['verdict']}"
        return paper.letter("webhook", user.email, subject, told, key, at)


def _is_off(reason: str) -> dict[str, str]:
    what = f"{reason} No events are sent to it any more."
    return {"verdict": "is disabled", "state": "failed", "what": what, "do": ENABLE}


def _fails(since: int) -> dict[str, str]:
    when = rfc3339(since)[:16].replace("T", " ")
    what = f"Every try since {when} UTC has failed. {AHEAD}"
    return {"verdict": "takes no events", "state": "partial", "what": what, "do": MEND}
