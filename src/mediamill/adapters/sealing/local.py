"""Keys of our own: `local:` (kept in MEDIAMILL_HOME), `local:/path/of/keyring`, `local:ID:KEY,…`.

A keyring in the setting itself comes from where secrets are kept: `local:${ssm:/mill/keyring}`. All
servers of an installation need the same one. A file elsewhere is not made by itself.
"""

import secrets
from pathlib import Path
from urllib.parse import unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mediamill.adapters.sealing.keyring import (
    Key,
    Keyring,
    KeyringFile,
    added,
    parse,
    turned,
    without,
)
from mediamill.adapters.sealing.port import DataKey, KeyUnknown
from mediamill.core.errors import Unsealable

NONCE = 12
FILE = "keyring"


class LocalHolder:
    scheme = "local"

    def __init__(self, given: Keyring = ()) -> None:
        self._given = given

    @classmethod
    def open(cls, url: str, home: Path) -> "LocalHolder":
        """Make the holder of a URL; raises `ConfigurationError`."""
        said = unquote(url.partition(":")[2]).strip()
        if not said or said.startswith("/"):
            path = Path(said) if said else home / FILE
            return FileHolder(KeyringFile(path, makes=not said))
        return cls(parse(said))

    def keys(self) -> Keyring:
        """Return the keys, of which the first seals."""
        return self._given

    async def fresh(self) -> DataKey:
        first, nonce, plain = self.keys()[0], secrets.token_bytes(NONCE), secrets.token_bytes(32)
        name = self._named(first)
        wrapped = nonce + AESGCM(first.secret).encrypt(nonce, plain, name.encode())
        return DataKey(name, plain, wrapped)

    async def unwrap(self, key: str, wrapped: bytes) -> bytes:
        for known in self.keys():
            if key == self._named(known):
                try:
                    opener = AESGCM(known.secret)
                    return opener.decrypt(wrapped[:NONCE], wrapped[NONCE:], key.encode())
                except (InvalidTag, ValueError):
                    message = f"What the key {key} sealed was changed, or that key is another one."
                    raise Unsealable(message) from None
        raise KeyUnknown(key)

    async def key(self) -> str:
        return self._named(self.keys()[0])

    async def close(self) -> None:
        """Nothing is open."""

    def _named(self, key: Key) -> str:
        return f"{self.scheme}:{key.id}"


class FileHolder(LocalHolder):
    """Keys in a file, which can be changed here (`Turning`)."""

    def __init__(self, file: KeyringFile) -> None:
        super().__init__()
        self._file = file

    def keys(self) -> Keyring:
        return self._file.keys()

    def add(self) -> str:
        return self._named(self._file.change(added, makes=True)[-1])

    def turn(self) -> str:
        return self._named(self._file.change(turned)[0])

    def ceased(self, key: str) -> int | None:
        return next((known.until for known in self.keys() if self._named(known) == key), None)

    def drop(self, key: str) -> None:
        self._file.change(lambda keys: without(keys, key.removeprefix(f"{self.scheme}:")))


plugin = LocalHolder
