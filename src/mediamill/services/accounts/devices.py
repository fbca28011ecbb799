"""Browsers that signed in to an account before: what they keep to be known again.

    cookie = base64url( HMAC-SHA-256 (32 bytes) ‖ JSON [user, device, expiry, proof] )

It opens nothing: who shows it is counted apart from others that guess at this account
(`guessing.py`). It ends when the password or the second factor changes that it signed in with: who
had the former password shows no browser that may try codes of its own. The keys are those that
sign links; with several servers all have the same.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from mediamill.core.clock import DAY, Clock
from mediamill.core.ids import new_id
from mediamill.services.links.signing import Signer
from mediamill.store.repositories.users import User, Users

CONTEXT = b"mediamill device 2\n"
"""So that nothing else that this key may sign is taken for a device."""
DAYS = 365
LONGEST = 500
MAC = hashlib.sha256().digest_size
MOST = 5
"""Of so many accounts one browser is known at a time."""


class Device(msgspec.Struct, frozen=True, array_like=True):
    """A browser, to one user."""

    user: str
    id: str
    expires: int
    proof: str
    """Of what a user proved (`_proof`)."""


@dataclass(frozen=True)
class Devices:
    """Makes browsers known, and knows them again."""

    users: Users
    signer: Signer
    clock: Clock

    async def known(self, user_id: str) -> str:
        """Return what a browser keeps that has signed in as a user; empty for one who is gone."""
        if (user := await self.users.get(user_id)) is None:
            return ""
        expires = self.clock.now() + DAYS * DAY
        said = msgspec.json.encode(Device(user.id, new_id("device"), expires, _proof(user)))
        key, *_ = await self.signer.keys()
        return base64.urlsafe_b64encode(_mac(key, said) + said).decode().rstrip("=")

    async def of(self, user: User | None, kept: Sequence[str]) -> str:
        """Return which browser of a user's this is by what it kept; empty for an unknown one."""
        keys = await self.signer.keys()
        for found in (_read(one, keys) for one in kept[:MOST]):
            if user is None or found is None or found.expires <= self.clock.now():
                continue
            if (found.user, found.proof) == (user.id, _proof(user)):
                return found.id
        return ""


def _proof(user: User) -> str:
    """Return what tells a password and a second factor from those before, and neither of them."""
    return hashlib.sha256(f"{user.password}\n{user.factor}".encode()).hexdigest()[:16]


def _read(kept: str, keys: Sequence[bytes]) -> Device | None:
    """Return what one of the keys has signed."""
    if not 0 < len(kept) <= LONGEST or not kept.isascii():
        return None
    with suppress(ValueError, RecursionError):
        data = base64.b64decode(kept + "=" * (-len(kept) % 4), b"-_", validate=True)
        signature, said = data[:MAC], data[MAC:]
        if any(hmac.compare_digest(signature, _mac(key, said)) for key in keys):
            return msgspec.json.decode(said, type=Device)
    return None


def _mac(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, CONTEXT + said, hashlib.sha256)
