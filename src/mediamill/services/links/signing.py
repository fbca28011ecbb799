"""Capabilities that need no session: short-lived, signed, and stored nowhere.

    mmk_ + base64url( HMAC-SHA-256 (32 bytes) ‖ JSON [method, target, user, expiry] )

The signature covers all that the capability says. The prefix lets the log hide it. The key is
`MEDIAMILL_SECRET`, else one that is made once and kept in the home folder.
"""

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mediamill.core.clock import Clock
from mediamill.core.errors import ConfigurationError, Forbidden

PREFIX = "mmk_"
CONTEXT = b"mediamill link 1\n"
"""So that nothing else that this key may sign is taken for a link."""
LONGEST = 1_000
LEAST_SECRET = 16


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """Lets `method` be done to `target` in the name of `user` until `expires` (ms)."""

    method: str
    target: str
    user: str
    expires: int


@dataclass(frozen=True)
class Signer:
    """Writes grants as tokens, and reads them."""

    key: bytes
    clock: Clock

    def sign(self, grant: Grant) -> str:
        """Return a token."""
        said = msgspec.json.encode(grant)
        return PREFIX + base64.urlsafe_b64encode(self._mac(said) + said).decode().rstrip("=")

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
            if hmac.compare_digest(mac, self._mac(said)):
                return msgspec.json.decode(said, type=Grant)
        return None

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self.key, CONTEXT + said, hashlib.sha256)


def key_of(secret: str, home: Path) -> bytes:
    """Return the key of a setting, or the one that the home folder keeps, made if need be.

    All processes over one home get the same, whichever is first.
    """
    if not secret:
        return _kept(home / "secret")
    if len(secret) < LEAST_SECRET:
        message = f"MEDIAMILL_SECRET: it needs {LEAST_SECRET} characters or more."
        raise ConfigurationError(message, setting="MEDIAMILL_SECRET")
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
