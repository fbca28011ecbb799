"""The home's own keys, `secret` and `keyring`, in a snapshot: sealed under a passphrase, or apart.

    mmk1$SALT$BOX       scrypt of the passphrase (N 2^15, r 8, p 1), AES-256-GCM, JSON of the files

Without them a restored service works, but links that were given out are void and secrets in the
database (of webhooks, second factors, providers) do not open. Whoever has a backup with them in the
clear has these secrets too, so they are never in it in the clear.
"""

import hashlib
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mediamill.core.errors import ConfigurationError, Unsealable

VERSION = "mmk1"
FILES = ("secret", "keyring")
SALT, NONCE = 16, 12
LEAST = 12
"""Characters of a passphrase: whoever has a backup may try as many as they like."""


def require_long(passphrase: str) -> None:
    """Raise `ConfigurationError` for a passphrase that would be found by trying."""
    if passphrase and len(passphrase) < LEAST:
        raise ConfigurationError(
            f"MEDIAMILL_BACKUP_PASSPHRASE has less than {LEAST} characters: take some words.",
            setting="MEDIAMILL_BACKUP_PASSPHRASE",
        )


def home_keys(home: Path) -> dict[str, bytes]:
    """Read the keys that lie in a home, by the names of their files."""
    return {name: (home / name).read_bytes() for name in FILES if (home / name).is_file()}


def sealed(keys: dict[str, bytes], passphrase: str, snapshot: str) -> str:
    """Seal keys for one snapshot."""
    salt, nonce = secrets.token_bytes(SALT), secrets.token_bytes(NONCE)
    said = msgspec.json.encode(keys)
    box = nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, said, snapshot.encode())
    return "$".join((VERSION, salt.hex(), box.hex()))


def opened(text: str, passphrase: str, snapshot: str) -> dict[str, bytes]:
    """Open what was sealed for a snapshot; raises `Unsealable`."""
    version, salt, box = (*text.split("$"), "", "")[:3]
    if version != VERSION:
        raise Unsealable("The keys of the snapshot were sealed by a newer mediamill.")
    data = bytes.fromhex(box)
    try:
        opener = AESGCM(_key(passphrase, bytes.fromhex(salt)))
        said = opener.decrypt(data[:NONCE], data[NONCE:], snapshot.encode())
    except InvalidTag:
        raise Unsealable(
            "The passphrase does not open the keys of the snapshot: MEDIAMILL_BACKUP_PASSPHRASE "
            "is another one, or the snapshot was changed."
        ) from None
    keys = msgspec.json.decode(said, type=dict[str, bytes])
    return {name: keys[name] for name in FILES if name in keys}


def put_back(home: Path, keys: dict[str, bytes]) -> None:
    """Write keys into a home, durable and readable for their owner only."""
    for name, data in keys.items():
        path = home / name
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())


def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=64 << 20, dklen=32
    )
