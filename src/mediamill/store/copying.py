"""Copies of the rows: made while the service works, as they are at one moment; put back later.

A kind of store that can be copied so has a module with

    async def copied(url: str, folder: Path, spare: int) -> AsyncIterator[Copy]  # for a block
    async def require_there(url: str) -> None
    async def born(url: str) -> int | None
    async def restored(url: str, copy: Path) -> None
"""

import importlib
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from mediamill.core.errors import ConfigurationError, StorageFull
from mediamill.core.extras import needing
from mediamill.core.records import Record
from mediamill.store.port import MAX_PAGE, Walks
from mediamill.store.sql.migrate import migrations

SETTING = "MEDIAMILL_STORE_URL"
KINDS = {
    "postgresql": "mediamill.store.sql.postgres.copying",
    "sqlite": "mediamill.store.sql.sqlite.copying",
}
INSTEAD = {
    "dynamodb": "DynamoDB keeps its own backups: turn on point-in-time recovery of the table, and "
    "versions of the bucket. docs/how-to/backup.md tells how to restore both.",
    "memory": "What is in memory only cannot be backed up.",
}


@dataclass(frozen=True)
class Copy:
    """Rows in a file, as they were at one moment, and the same to be read."""

    path: Path
    rows: Walks
    version: int
    """The version of the schema."""
    compatible: int
    """The least version that a program must know."""
    born: int
    """When the database was made (ms): who copies or restores it does not change that."""


class Copying(Protocol):
    """What a module of a store offers."""

    def copied(self, url: str, folder: Path, spare: int) -> AbstractAsyncContextManager[Copy]:
        """Copy the rows into a file in a folder, found sound; raises `Unavailable`.

        Raises `StorageFull` where less than `spare` bytes would be left beside the copy.
        """

    async def require_there(self, url: str) -> None:
        """Raise `ConfigurationError` where there is nothing to be copied."""

    async def born(self, url: str) -> int | None:
        """Return when the database of a URL was made (ms); None where there are no rows."""

    async def restored(self, url: str, copy: Path) -> None:
        """Put a copy back, whole or not at all; the file may be gone afterwards."""


def require_room(folder: Path, size: int, spare: int) -> None:
    """Raise `StorageFull` where a folder's disk would have less than `spare` bytes left."""
    if shutil.disk_usage(folder).free < size + spare:
        raise StorageFull(
            f"The disk of {folder} has no room for a copy of the rows: {size:,} bytes, and "
            f"{spare:,} that are to be left free (MEDIAMILL_MIN_FREE_BYTES)."
        )


def kind_of(url: str) -> str:
    """Return how rows at a URL are copied; raises `ConfigurationError` where they cannot be."""
    scheme = urlsplit(url).scheme
    if scheme not in KINDS:
        message = INSTEAD.get(scheme, f"{SETTING}: “{scheme}:” cannot be backed up.")
        raise ConfigurationError(message, setting=SETTING)
    return scheme


def copying(kind: str) -> Copying:
    """Return what copies rows of a kind."""
    with needing(kind, SETTING):
        module: Any = importlib.import_module(KINDS[kind])
    found: Copying = module
    return found


def newest(kind: str) -> int:
    """Return the newest version of the schema that this program knows for a kind of store."""
    return len(migrations(kind.replace("postgresql", "postgres")))


async def records(rows: Walks, kind: type[Record]) -> AsyncIterator[list[Record]]:
    """Read all records of a kind in key order, a page at a time."""
    after = None
    while page := await rows.walk(kind, after, MAX_PAGE):
        yield list(page)
        after = page[-1].key_values()
