"""Names of a download's members: each once, in bounded memory however many there are."""

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from mediamill.core.errors import StorageFull
from mediamill.media.archive.names import Names

IN_MEMORY = 50_000
"""Names, and bases of numbered names, that are kept in memory; further ones are on disk."""

TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -2048;
CREATE TABLE taken (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE numbers (base TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
BEGIN;
"""
TAKE = "INSERT INTO taken VALUES (?) ON CONFLICT DO NOTHING"
NUMBER = "SELECT number FROM numbers WHERE base = ?"
NOTE = "INSERT INTO numbers VALUES (?, ?) ON CONFLICT DO UPDATE SET number = excluded.number"


class ManyNames(Names):
    """Names of which the first are in memory and the rest in a scratch file without a name.

    The file, an SQLite database that no one else sees, is gone with the block or the process.
    Claiming raises `StorageFull`.
    """

    def __init__(self, scratch: Path, most: int = IN_MEMORY) -> None:
        super().__init__()
        self._scratch, self._most = scratch, most
        self._disk: apsw.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._disk is not None:
            self._disk.close()

    def claim(self, name: str) -> str:
        try:
            return super().claim(name)
        except (apsw.FullError, apsw.IOError) as error:
            raise StorageFull(f"No room to list the results: {error}.") from error

    def _take(self, folded: str) -> bool:
        if folded in self._taken:
            return False
        if len(self._taken) < self._most:
            return super()._take(folded)
        disk = self._opened()
        disk.execute(TAKE, (folded,))
        return disk.changes() > 0

    def _number(self, base: str) -> int:
        if self._disk is None or base in self._next:
            return super()._number(base)
        found = self._disk.execute(NUMBER, (base,)).get
        return 2 if found is None else int(found)

    def _note(self, base: str, number: int) -> None:
        if base in self._next or len(self._next) < self._most:
            super()._note(base, number)
        else:
            self._opened().execute(NOTE, (base, number))

    def _opened(self) -> apsw.Connection:
        if self._disk is None:
            descriptor, path = tempfile.mkstemp(dir=self._scratch, prefix="names-")
            os.close(descriptor)
            try:
                self._disk = apsw.Connection(path)
                self._disk.execute(TABLES).fetchall()
            finally:
                os.unlink(path)  # noqa: PTH108 - one call, and not a Path's
        return self._disk
