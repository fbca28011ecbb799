"""Keyrings: keys of 32 bytes as text, of which the first seals and all open.

    ID:KEY [ID:KEY:UNTIL …]     one a line or with commas; UNTIL: when it sealed last, ms

A keyring in a file is replaced whole, durably, by who holds its lock; readers take none.
"""

import base64
import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mediamill.core.errors import ConfigurationError

SETTING = "MEDIAMILL_SEALING_URL"
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
HEAD = "# Keys that seal secrets in the database: the first seals, all open. Back it up apart.\n"


@dataclass(frozen=True)
class Key:
    id: str
    secret: bytes = field(repr=False)
    until: int = 0
    """When it ceased to seal, by the clock of the machine (ms); 0 while it does, or never did."""

    @classmethod
    def make(cls) -> "Key":
        return cls(secrets.token_hex(4), secrets.token_bytes(32))

    def __str__(self) -> str:
        """Write it: this is the secret itself."""
        text = base64.urlsafe_b64encode(self.secret).decode().rstrip("=")
        return f"{self.id}:{text}:{self.until}" if self.until else f"{self.id}:{text}"


Keyring = tuple[Key, ...]


def parse(text: str) -> Keyring:
    """Read a keyring; raises `ConfigurationError` that shows nothing of it."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    try:
        keys = tuple(_key(word) for word in " ".join(lines).replace(",", " ").split())
    except ValueError:
        keys = ()
    if not keys or len({key.id for key in keys}) != len(keys):
        message = (
            f"{SETTING}: what is given is no keyring: write ID:KEY, ID:KEY …, each made by "
            "`mediamill secrets key`."
        )
        raise ConfigurationError(message, setting=SETTING)
    return keys


def _key(word: str) -> Key:
    name, secret, *until = word.split(":")
    data = base64.b64decode(secret + "=" * (-len(secret) % 4), b"-_", validate=True)
    if len(data) != 32 or not _ID.fullmatch(name) or len(until) > 1:
        raise ValueError
    return Key(name, data, int(until[0]) if until else 0)


def write(keys: Keyring) -> str:
    """Write a keyring as `parse` reads it."""
    return HEAD + "".join(f"{key}\n" for key in keys)


class KeyringFile:
    """A keyring in a file that only its owner reads.

    Where it `makes` none a missing one is an error: what it lies on may not be there yet.
    """

    def __init__(self, path: Path, *, makes: bool = True) -> None:
        self.path, self._makes = path, makes
        self._seen: tuple[int, ...] = ()
        self._keys: Keyring = ()

    def keys(self) -> Keyring:
        """Return the keys as the file has them now; raises `ConfigurationError`."""
        with self._telling():
            if not self.path.exists():
                self.change(lambda keys: keys or (Key.make(),))
            about = self.path.stat()
            seen = (about.st_mtime_ns, about.st_ino, about.st_size)
            if seen != self._seen:
                self._keys, self._seen = parse(self.path.read_text()), seen
        return self._keys

    def change(self, how: Callable[[Keyring], Keyring], *, makes: bool = False) -> Keyring:
        """Replace the file by what `how` makes of its keys, one process after the other."""
        with self._telling():
            if not (makes or self._makes or self.path.exists()):
                message = (
                    f"{SETTING}: {self.path} is not there: bring it back, or make a first one with "
                    "`mediamill secrets key --add`."
                )
                raise ConfigurationError(message, setting=SETTING)
            return self._changed(how)

    def _changed(self, how: Callable[[Keyring], Keyring]) -> Keyring:
        with self._locked():
            known = parse(self.path.read_text()) if self.path.exists() else ()
            keys = how(known)
            if keys != known:
                _replace(self.path, write(keys))
        return keys

    @contextmanager
    def _locked(self) -> Iterator[None]:
        beside = self.path.with_name(f".{self.path.name}.lock")
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"{SETTING}: {self.path} cannot be kept: {error.strerror}."
            raise ConfigurationError(message, setting=SETTING) from error


def _replace(path: Path, text: str) -> None:
    """Write a file whole and durably, readable for its owner only."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def added(keys: Keyring) -> Keyring:
    """Add a key that opens and does not seal yet; the first one seals."""
    return (*(keys or (Key.make(),)), Key.make())


def turned(keys: Keyring) -> Keyring:
    """Have the key seal that was added last, or a new one when none waits."""
    waiting = [key for key in keys[1:] if not key.until]
    first = waiting[-1] if waiting else Key.make()
    now = int(time.time() * 1000)
    rest = (replace(key, until=key.until or now) for key in keys if key.id != first.id)
    return (first, *rest)


def without(keys: Keyring, name: str) -> Keyring:
    """Leave a key out."""
    return tuple(key for key in keys if key.id != name)
