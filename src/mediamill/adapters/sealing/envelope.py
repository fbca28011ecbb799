"""Seal texts with AES-256-GCM, each under a data key, bound to its place and the key's id."""

import base64
import secrets
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mediamill.adapters.sealing.port import Holder, KeyUnknown
from mediamill.core.errors import Unsealable
from mediamill.core.sealing import VERSION, split

NONCE = 12
LONGEST = 100_000
"""Characters of a text that is sealed; larger ones belong into a blob."""


class Holders(Protocol):
    """Where keys are held, which may change."""

    async def now(self) -> Sequence[Holder]:
        """Return the holders; the first seals."""

    async def again(self) -> Sequence[Holder]:
        """Look for them anew: another server may have made a key meanwhile."""

    async def close(self) -> None:
        """Release what they have open."""


class Envelope:
    """Seals under the first holder, opens under whichever the text names (`Sealer`)."""

    def __init__(self, holders: Holders) -> None:
        self.holders = holders

    async def seal(self, text: str, about: str) -> str:
        if len(text) > LONGEST:
            raise ValueError(f"a text of more than {LONGEST} characters is not sealed")
        data = await (await self.holders.now())[0].fresh()
        nonce, wrapped = secrets.token_bytes(NONCE), written(data.wrapped)
        box = AESGCM(data.plain).encrypt(nonce, text.encode(), _bound(data.id, wrapped, about))
        return "$".join((VERSION, data.id, wrapped, written(nonce + box)))

    async def open(self, sealed: str, about: str) -> str:
        key, wrapped, box = split(sealed)
        data, whole = await self._data_key(key, read(wrapped)), read(box)
        try:
            said = _bound(key, wrapped, about)
            text = AESGCM(data).decrypt(whole[:NONCE], whole[NONCE:], said)
        except (InvalidTag, ValueError):
            raise Unsealable(
                f"The secret of {about} was changed, or moved from elsewhere."
            ) from None
        return text.decode()

    async def key(self) -> str:
        return await (await self.holders.now())[0].key()

    async def close(self) -> None:
        """Release what holds the keys."""
        await self.holders.close()

    async def _data_key(self, key: str, wrapped: bytes) -> bytes:
        for look in (self.holders.now, self.holders.again):
            for holder in await look():
                if key.startswith(f"{holder.scheme}:"):
                    try:
                        return await holder.unwrap(key, wrapped)
                    except KeyUnknown:
                        continue
        raise Unsealable(
            f"The key {key} that sealed this is not among those of MEDIAMILL_SEALING_URL: bring it "
            "back, or set the secret anew."
        )


def _bound(key: str, wrapped: str, about: str) -> bytes:
    """Return what a sealed text is bound to."""
    return "\n".join((VERSION, key, wrapped, about)).encode()


def written(data: bytes) -> str:
    """Write bytes as text without `$`."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read(text: str) -> bytes:
    """Read what `written` wrote; raises `Unsealable`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        data = b""
    if not data or written(data) != text:
        raise Unsealable("What is kept here is not whole.")
    return data
