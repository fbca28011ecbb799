"""The mails about an account that is being deleted: that it is, and the receipt when it is gone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from mediamill.adapters.mail.port import Letter
from mediamill.letters.paper import Paper
from mediamill.letters.wording import counted
from mediamill.store.repositories.erasures import Erasure


@dataclass
class ErasureLetters:
    """Writes both; neither can be turned off."""

    public: str
    """The address that users see, without a slash at its end."""
    link: Callable[[str], Awaitable[str]]
    """Gives the address at which a deletion is seen, and taken back."""

    async def closing(self, to: str, erasure: Erasure) -> Letter:
        """Say that an account is shut, and until when that can be taken back."""
        place, until = Paper(self.public).place, _time(erasure.due)
        whose = "You" if erasure.by == "user" else "The administrator"
        lines = (
            f"{whose} deleted your account at {place}. Nobody is signed in to it any more.",
            f"Until {until} it can be taken back, with all that is in it.",
            "Then everything is removed, and nobody can bring it back.",
        )
        subject = f"Your account at {place} is being deleted"
        return await self._letter("closing", to, subject, lines, "Keep the account", erasure)

    async def receipt(self, to: str, erasure: Erasure) -> Letter:
        """Say that everything is gone, and how much that was."""
        place = Paper(self.public).place
        gone = counted(erasure.counts.get("files", 0), "file")
        lines = (
            f"Your account at {place} is deleted, with {gone} and all that was made of them.",
            "The page shows how much of what was removed. It names nobody: keep its address.",
            "Yours is forgotten with this mail.",
        )
        subject = f"Your account at {place} is deleted"
        return await self._letter("erased", to, subject, lines, "Open the receipt", erasure)

    async def _letter(
        self, kind: str, to: str, subject: str, lines: tuple[str, ...], button: str, about: Erasure
    ) -> Letter:
        paper = Paper(self.public)
        told = {
            "lines": lines,
            "button": button,
            "url": await self.link(about.id),
            "why": f"because you had an account at {paper.place}",
        }
        return paper.letter("account", to, subject, told, f"{about.id}.{kind}", about.asked)


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%d %B %Y, %H:%M} UTC"
