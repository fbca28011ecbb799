"""What all our mails have: how they look, their headers, and the links at their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from mediamill.adapters.mail.port import Letter

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Paper:
    """What letters to one user are written on."""

    public: str
    """The address that users see, without a slash at its end."""
    unsubscribe_url: str = ""
    """By which they want no more mails; empty for mails that nobody can do without."""

    @property
    def place(self) -> str:
        """What users know the service by: its address, without what all addresses begin with."""
        return self.public.partition("://")[2] or self.public

    def letter(
        self, name: str, to: str, subject: str, told: Mapping[str, Any], key: str, at: int
    ) -> Letter:
        """Write a letter by the templates of a name, about what happened at a time (ms)."""
        facts = {
            **told,
            "subject": subject,
            "account_url": f"{self.public}/account",
            "unsubscribe_url": self.unsubscribe_url,
            "place": self.place,
        }
        return Letter(
            to=to,
            subject=subject,
            text=_environment.get_template(f"{name}.txt").render(facts),
            html=_environment.get_template(f"{name}.html").render(facts),
            key=key,
            date=datetime.fromtimestamp(at / 1000, UTC),
            headers=self._headers(key),
        )

    def _headers(self, key: str) -> dict[str, str]:
        url = self.unsubscribe_url
        headers = {"X-Mediamill-Notice": key}
        if url:
            headers["List-Unsubscribe"] = f"<{url}>"
        if url.startswith("https:"):  # RFC 8058 wants nothing else
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers
