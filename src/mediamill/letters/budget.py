"""The mail about a budget of which a part is spent: how much, what follows, where to see it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

from mediamill.adapters.mail.port import Letter
from mediamill.engine.asking.booking import REACHED, BudgetNews
from mediamill.letters.paper import Paper
from mediamill.store.repositories.spending import EVERYBODY, dollars
from mediamill.store.repositories.users import User


@dataclass
class BudgetLetters:
    """Writes mails about budgets."""

    public: str
    """The address that users see, without a slash at its end."""
    unsubscribe: Callable[[str], Awaitable[str]]
    """Gives the address by which a user wants no more mails."""

    async def write(self, user: User, news: BudgetNews, at: int) -> Letter:
        """Write to a user that a part of a budget was spent at a time (ms)."""
        month, ours = date.fromisoformat(f"{news.month}-01"), news.scope == EVERYBODY
        whose = "The budget of all" if ours else "Your budget"
        title = f"{whose} for model calls in {month:%B %Y}"
        verdict = _verdict(news)
        told = {
            "title": title,
            "verdict": verdict,
            "state": "failed" if news.percent >= REACHED else "partial",
            "spent": f"{dollars(news.spent)} of {dollars(news.most)} is spent.",
            "left": _left(news),
            "advice": "Set another budget, or see who spent it:" if ours else
            "See what it was spent on; administrators can set another budget:",
            "spending_url": f"{self.public}/spending?month={news.month}",
            "why": "you administer" if ours else "it is your budget on",
        }  # fmt: skip
        about = f"{'all' if ours else 'own'}-{news.month}-{news.most}-{news.percent}"
        paper = Paper(self.public, await self.unsubscribe(user.id))
        return paper.letter(
            "budget", user.email, f"{title} {verdict}", told, f"{user.id}.{about}", at
        )


def _verdict(news: BudgetNews) -> str:
    if news.wanted:
        return "has too little left for a call"
    return "is used up" if news.percent >= REACHED else f"is {news.spent * 100 // news.most} % used"


def _left(news: BudgetNews) -> str:
    """Say what follows."""
    left = dollars(max(0, news.most - news.spent))
    if news.percent < REACHED:
        return f"{left} is left. What may cost more than is left is not asked."
    if news.wanted:
        return (
            f"A call that may cost {dollars(news.wanted)} was not made: {left} is left. What "
            "may cost more is not asked until the month ends (UTC)."
        )
    return "Nothing that costs is asked until the month ends (UTC)."
