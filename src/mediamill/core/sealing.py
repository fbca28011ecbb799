"""Sealed texts: secrets that a store keeps and cannot read, each bound to the place it lies in.

    mm1$KEY$WRAPPED$BOX     the format's version, the key's id, its data key, nonce and ciphertext

A record with sealed fields says which they are, under which key they are, and lists by it, so that
all of them can be sealed anew (`services/sealing.py`):

    class Webhook(Record, frozen=True, kw_only=True):
        secret: str
        sealed_by: str

        sealed = ("secret",)
        indexes = (Index("webhook_sealed", partition=("sealed_by",), sort=("id",)),)
"""

from typing import Any, Protocol

from mediamill.core.errors import Unsealable
from mediamill.core.records import Record

VERSION = "mm1"


class Sealer(Protocol):
    """Seals short texts and opens them."""

    async def seal(self, text: str, about: str) -> str:
        """Seal a text for a place, `about`; raises `Unavailable` when the key cannot be asked."""

    async def open(self, sealed: str, about: str) -> str:
        """Return the text sealed for this place.

        Raises `Unsealable` for what was changed, lies in another place or has lost its key,
        `Unavailable` when the key cannot be asked.
        """

    async def key(self) -> str:
        """Return the id of the key that seals now."""

    async def close(self) -> None:
        """Release connections."""


def key_of(sealed: str) -> str:
    """Return the id of the key that sealed a text: what its record keeps in `sealed_by`."""
    return split(sealed)[0]


def split(sealed: str) -> tuple[str, str, str]:
    """Return key id, wrapped data key and box of a sealed text; raises `Unsealable`."""
    parts = sealed.split("$")
    if len(parts) != 4 or parts[0] != VERSION:
        raise Unsealable("What is kept here was not sealed by this program, or by a newer one.")
    return parts[1], parts[2], parts[3]


def about(kind: type[Record], field: str, *key: Any) -> str:
    """Name the place of a sealed field: its table, its record's key, its own name."""
    return "/".join((kind.table, *map(str, key), field))
