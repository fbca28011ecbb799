"""Who says who somebody is: this installation alone, or an issuer (OpenID Connect) too.

Passwords, sessions and API tokens are the service's own (`services/accounts`). A backend that is an
`Issuer` vouches for people and programs besides. It keeps nothing of them and knows none of our
users: what it says is a `Person`.

Errors: `Unauthenticated` for what proves nothing, with what is wrong with it; `Forbidden` when the
person or the issuer declined; `Unavailable` when the issuer cannot be asked, so that it is not
known; `ConfigurationError` when the issuer does not take us for its client. None holds a secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Person:
    """Somebody, or a program, that an issuer vouches for: its subject never changes."""

    issuer: str
    subject: str
    email: str = ""
    """Only an address that the issuer has verified; empty otherwise."""
    name: str = ""
    admin: bool | None = None
    """Whether the issuer's group of administrators holds them; None where none is configured."""


@dataclass(frozen=True)
class Challenge:
    """What one sign-in is bound to; `redirect_uri` is where the browser comes back to."""

    state: str
    redirect_uri: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    """PKCE's: only who knows it can use the code."""


class Identity(Protocol):
    """A way to know people. `passwords` says whether addresses and passwords are one too."""

    passwords: bool


@runtime_checkable
class Issuer(Protocol):
    """A backend that sends people elsewhere to sign in, and knows tokens made there."""

    passwords: bool
    label: str
    """What people call it."""
    issuer: str
    """Its name in tokens, which with a subject names one person for good."""
    appoints: bool
    """Whether a group of it says who administers."""

    async def begin(self, challenge: Challenge) -> str:
        """Return the address to send a browser to."""

    async def finish(self, answer: Mapping[str, str], challenge: Challenge, now: int) -> Person:
        """Tell who came back with an answer, whose state is known to be the challenge's."""

    async def bearer(self, token: str, now: int) -> Person:
        """Tell whose an access token is, that was made for us; `now` is in milliseconds."""

    async def leaving(self, back: str) -> str | None:
        """Return where a browser ends its session with the issuer, if it says where."""

    async def probe(self) -> str:
        """Ask the issuer for what everything else begins with; say what it is."""
