"""The mail about a quota of which most, or all, is used: how much, what follows, what to do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mediamill.adapters.mail.port import Letter
from mediamill.letters.paper import Paper
from mediamill.letters.wording import sized
from mediamill.store.repositories.quota_notices import REACHED, QuotaNews
from mediamill.store.repositories.users import User

WHAT = {
    "bytes": "what you may keep",
    "files": "the files that you may keep",
    "items": "the items that you may run this month",
}
FOLLOWS = {
    "bytes": "What has no room is refused, and nothing that you keep goes. To make room, delete "
    "files and jobs and empty the trash; administrators can let you keep more:",
    "files": "Files beyond it are refused, and none that you keep goes. To make room, delete files "
    "and empty the trash; administrators can let you keep more:",
    "items": "Jobs that have no room are refused until the month ends (UTC); administrators can "
    "let you run more:",
}


@dataclass
class QuotaLetters:
    """Writes mails about quotas."""

    public: str
    """The address that users see, without a slash at its end."""
    unsubscribe: Callable[[str], Awaitable[str]]
    """Gives the address by which a user wants no more mails."""

    async def write(self, user: User, news: QuotaNews, at: int) -> Letter:
        """Write to a user that much of a quota was used at a time (ms)."""
        share = min(REACHED, news.used * 100 // max(1, news.most))
        full = news.percent >= REACHED
        verdict = "is used up" if full else f"is {share} % used"
        title = f"Of {WHAT[news.quota]}" if not full else f"All of {WHAT[news.quota]}"
        told = {
            "title": WHAT[news.quota].capitalize(),
            "verdict": verdict,
            "state": "failed" if full else "partial",
            "used": f"{_number(news.quota, news.used)} of {_number(news.quota, news.most)}.",
            "follows": FOLLOWS[news.quota],
            "usage_url": f"{self.public}/",
        }
        subject = f"{title}, {share} % is used" if not full else f"{title} is used"
        about = f"{news.quota}-{news.month}-{news.most}-{news.percent}"
        paper = Paper(self.public, await self.unsubscribe(user.id))
        return paper.letter("quota", user.email, subject, told, f"{user.id}.{about}", at)


def _number(quota: str, number: int) -> str:
    return sized(number) if quota == "bytes" else f"{number:,}"
