"""Who holds the keys under which data keys are wrapped.

A sealed text is encrypted under a data key of its own; only that one is handed to a holder. Ids of
keys begin with the scheme of their holder: `local:3f2a…`, `kms:arn:…`.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class DataKey:
    """A fresh key of 32 bytes, and what its holder makes it of again."""

    id: str
    plain: bytes = field(repr=False)
    wrapped: bytes


class KeyUnknown(Exception):
    """The holder has no such key (any more)."""


@runtime_checkable
class Turning(Protocol):
    """A holder whose keys can be changed here; where they are given they are changed there."""

    def add(self) -> str:
        """Add a key that opens and does not seal yet; return its id."""

    def turn(self) -> str:
        """Have the key seal that was added last, or a new one; return its id."""

    def ceased(self, key: str) -> int | None:
        """Return when a key ceased to seal (ms), 0 for one that never did; None for no such key."""

    def drop(self, key: str) -> None:
        """Remove a key for good."""


class Holder(Protocol):
    """Keys in one place: the first of them seals, all open."""

    scheme: str

    async def fresh(self) -> DataKey:
        """Make a data key; raises `ConfigurationError` without a key, `Unavailable`."""

    async def unwrap(self, key: str, wrapped: bytes) -> bytes:
        """Return a data key; raises `KeyUnknown`, `Unsealable`, `Unavailable`."""

    async def key(self) -> str:
        """Return the id of the key that seals now."""

    async def close(self) -> None:
        """Release connections."""
