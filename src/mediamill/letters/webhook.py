"""The mail about a webhook that was disabled: which, why, and how it is enabled again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mediamill.adapters.mail.port import Letter
from mediamill.letters.paper import Paper
from mediamill.store.repositories.users import User
from mediamill.store.repositories.webhooks import Webhook


@dataclass
class WebhookLetters:
    """Writes mails about webhooks."""

    public: str
    """The address that users see, without a slash at its end."""
    unsubscribe: Callable[[str], Awaitable[str]]
    """Gives the address by which a user wants no more mails."""

    async def write(self, user: User, webhook: Webhook, at: int) -> Letter:
        """Write to a user that a webhook was disabled at a time (ms)."""
        host = urlsplit(webhook.url).hostname or ""
        title = f"Your webhook to {host}"
        told = {
            "title": title,
            "reason": webhook.reason,
            "description": webhook.description,
            "webhooks_url": f"{self.public}/webhooks/{webhook.id}",
        }
        paper = Paper(self.public, await self.unsubscribe(user.id))
        key = f"{webhook.id}.{webhook.revision}"
        return paper.letter("webhook", user.email, f"{title} is disabled", told, key, at)
