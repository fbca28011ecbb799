"""The port of mail: a letter, and who carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Letter:
    """A mail as it is written; the sender is the backend's affair."""

    to: str
    subject: str
    text: str
    html: str
    key: str
    """What the mail is about, `[A-Za-z0-9._-]`: the same in a repeat, and in no other mail."""
    date: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


class Post(Protocol):
    """Carries letters.

    `send` returns once somebody else answers for the letter. It raises `DeliveryRefused` when it
    will never be taken, and `Unavailable` for whatever may pass, or may be mended: a server that is
    away, hangs or says “later”, a password that is wrong; `details["recipient"]` is true where that
    is said of this letter only. A letter whose sending was interrupted
    may have gone out: sent again, it has the same `Message-ID`.
    """

    anywhere: bool
    """Whether it takes letters to addresses that can only exist on this machine."""

    async def send(self, letter: Letter) -> None: ...

    async def close(self) -> None: ...


@runtime_checkable
class Probed(Protocol):
    """A post with a server that can be asked whether it would take letters."""

    async def probe(self) -> str:
        """Say how it is reached, sending nothing; raises `Unavailable` that says what is wrong."""
