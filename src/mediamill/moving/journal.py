"""How far a move has come: kept in the target, so that a killed one goes on where it was.

With a store among the targets the journal is a row there, written in the same transaction as the
records it speaks of; otherwise it is in the first place for bytes. The other places for bytes have
a claim that names the move. All are removed at the end, the journal last.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from mediamill.blobs.claims import CLAIM
from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound
from mediamill.store.port import Action, Delete, Put, Store
from mediamill.store.repositories.moves import ONLY, Move


class Way(msgspec.Struct, kw_only=True):
    """How far the bytes of one route have come."""

    after: str = ""
    """The last key of which all before are there too."""
    objects: int = 0
    size: int = 0
    done: bool = False


class Progress(msgspec.Struct, kw_only=True):
    """A move: what it is, and how far it has come."""

    id: str
    begun: int
    places: dict[str, str]
    """Sources and targets, without passwords: an unfinished move goes on only between them."""
    table: str = ""
    """The kind of records that is being copied; all tables before it, by name, are done."""
    after: tuple[Any, ...] | None = None
    """Key of the last one copied."""
    rows: int = 0
    copied: bool = False
    """Whether all records are there."""
    ways: list[Way] = []
    checked: bool = False
    """Whether everything is there and was compared; only the marks are left to be removed."""


class Journal(Protocol):
    """Where the progress is kept."""

    async def load(self) -> Progress | None:
        """Return what was saved last."""

    async def save(self, progress: Progress, *actions: Action) -> None:
        """Save it, in one transaction with other actions where there are any."""

    async def end(self) -> None:
        """Remove it."""


class StoreJournal:
    """A journal in the target store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Progress | None:
        row = await self._store.get(Move, ONLY)
        return None if row is None else msgspec.json.decode(row.progress, type=Progress)

    async def save(self, progress: Progress, *actions: Action) -> None:
        text = msgspec.json.encode(progress).decode()
        await self._store.transact(*actions, Put(Move(progress=text, begun=progress.begun)))

    async def end(self) -> None:
        await self._store.transact(Delete(Move, (ONLY,)))


class BlobJournal:
    """A journal, or a claim, in a place for bytes."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def load(self) -> Progress | None:
        try:
            return msgspec.json.decode(await self._blobs.get(CLAIM), type=Progress)
        except NotFound:
            return None

    async def save(self, progress: Progress, *actions: Action) -> None:
        await self._blobs.put(CLAIM, msgspec.json.encode(progress))

    async def end(self) -> None:
        await self._blobs.delete(CLAIM)


def journals(store: Store | None, blobs: Sequence[Blobs]) -> list[Journal]:
    """Return the marks that a move makes, the journal first."""
    first: list[Journal] = [] if store is None else [StoreJournal(store)]
    return [*first, *(BlobJournal(each) for each in blobs)]
