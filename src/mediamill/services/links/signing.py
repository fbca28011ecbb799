"""Capabilities that need no session: short-lived, signed, and stored nowhere.

    mmk_ + base64url( HMAC-SHA-256 (32 bytes) ‖ JSON [method, target, user, expiry] )

The signature covers all that the capability says. The prefix lets the log hide it. The key is
`MEDIAMILL_SECRET`, else one that is made once and kept in the home folder. When the secret changes
the new one signs; what it was before still verifies for a day in a process that knew it, and for as
long as `MEDIAMILL_SECRET_PREVIOUS` says it everywhere.
"""

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from mediamill.core.clock import DAY, Clock
from mediamill.core.errors import ConfigurationError, Forbidden, MediamillError
from mediamill.core.sourced import Sourced

log = structlog.get_logger(__name__)

PREFIX = "mmk_"
CONTEXT = b"mediamill link 1\n"
"""So that nothing else that this key may sign is taken for a link."""
LONGEST = 1_000
LEAST_SECRET = 16
PREVIOUS = "MEDIAMILL_SECRET_PREVIOUS"
KEPT = DAY
"""How long (ms) a key verifies that was replaced while the process ran: as links live."""


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """Lets `method` be done to `target` in the name of `user` until `expires` (ms)."""

    method: str
    target: str
    user: str
    expires: int


@dataclass
class Signer:
    """Writes grants as tokens, and reads them."""

    key: bytes = field(repr=False)
    clock: Clock
    secret: Sourced | None = None
    """What the key is made of, as it is then; None for a key that stays."""
    previous: Sourced | None = None
    """What it was made of before."""
    _older: dict[bytes, int] = field(default_factory=dict, repr=False)
    """Keys that verify still, until when (ms); 0 for those that are in a setting."""

    async def issue(self, grant: Grant) -> str:
        """Return a token, signed with the key as it is now."""
        await self._settle()
        return self.sign(grant)

    async def opened(self, token: str, method: str) -> Grant:
        """Return what a token grants, also where another server knows a newer secret than this one.

        Raises `Forbidden` when it is not ours, or too old.
        """
        await self._settle()
        if self._genuine(token) is None and token.startswith(PREFIX):
            await self._settle(renew=True)
        return self.read(token, method)

    async def keys(self, *, renew: bool = False) -> list[bytes]:
        """Return the key as it is now, then those that verify still, for what else is signed."""
        await self._settle(renew=renew)
        return [self.key, *self._older]

    async def _settle(self, *, renew: bool = False) -> None:
        """Look the secrets up; the last ones count where that fails."""
        try:
            said = await _said(self.secret, renew=renew)
            before = await _said(self.previous, renew=renew)
            key = derived(said) if said else self.key
            former = derived(before, PREVIOUS) if before else None
        except MediamillError as error:
            log.error(
                "a setting is unusable; the last one is used",
                action="setting_broken",
                error=error.message,
            )
            return
        now = self.clock.now()  # from here on nothing waits: others settle at the same time
        older = {each: until for each, until in self._older.items() if until > now}
        if key != self.key:
            older[self.key], self.key = now + KEPT, key
        if former is not None:
            older[former] = 0
        older.pop(self.key, None)
        self._older = older

    def sign(self, grant: Grant) -> str:
        """Return a token."""
        said = msgspec.json.encode(grant)
        return PREFIX + base64.urlsafe_b64encode(_mac(self.key, said) + said).decode().rstrip("=")

    def read(self, token: str, method: str) -> Grant:
        """Return what a token grants; raises `Forbidden` when it is not ours, or too old."""
        grant = self._genuine(token)
        if grant is None or grant.method != method:
            raise Forbidden("This link is not right: ask for a new one.")
        if grant.expires <= self.clock.now():
            raise Forbidden("This link has expired: ask for a new one.")
        return grant

    def _genuine(self, token: str) -> Grant | None:
        """Return the grant of a token that bears our signature."""
        if not token.startswith(PREFIX) or len(token) > LONGEST or not token.isascii():
            return None
        text = token.removeprefix(PREFIX)
        with suppress(ValueError):
            data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            if base64.urlsafe_b64encode(data).decode().rstrip("=") != text:
                return None  # another spelling of the last character
            mac, said = data[:32], data[32:]
            for key in (self.key, *self._older):
                if hmac.compare_digest(mac, _mac(key, said)):
                    return msgspec.json.decode(said, type=Grant)
        return None


def _mac(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, CONTEXT + said, hashlib.sha256)


async def _said(source: Sourced | None, *, renew: bool) -> str:
    if source is None:
        return ""
    return await (source.renewed() if renew else source.current())


def key_of(secret: str, home: Path) -> bytes:
    """Return the key of a setting, or the one that the home folder keeps, made if need be.

    All processes over one home get the same, whichever is first.
    """
    return derived(secret) if secret else _kept(home / "secret")


def derived(secret: str, setting: str = "MEDIAMILL_SECRET") -> bytes:
    """Make the key of a secret; raises `ConfigurationError` for one that is too short."""
    if len(secret) < LEAST_SECRET:
        message = f"{setting}: it needs {LEAST_SECRET} characters or more."
        raise ConfigurationError(message, setting=setting)
    return hashlib.sha256(secret.encode()).digest()


def _kept(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        message = f"MEDIAMILL_HOME: {path} cannot be kept: {error.strerror}."
        raise ConfigurationError(message, setting="MEDIAMILL_HOME") from error
    if len(key) != 32:
        message = f"{path} is not the key that was written there; remove it to have a new one made."
        raise ConfigurationError(message, setting="MEDIAMILL_HOME")
    return key


def _make(path: Path) -> None:
    """Write a new key whole, unless another process was first."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(32))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
