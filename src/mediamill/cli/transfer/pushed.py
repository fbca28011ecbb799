"""What a push remembers between runs, in `MEDIAMILL_HOME/push.db`: digests, unfinished uploads.

Losing it costs nothing but reading files again.
"""

import hashlib
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, sha256 TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    server TEXT, sha256 TEXT, place TEXT, PRIMARY KEY (server, sha256)
) WITHOUT ROWID;
"""


class Memory:
    """Digests by path, size and time of change; addresses of uploads by server and digest."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        path = home / "push.db"
        try:
            self._database = _opened(path)
        except sqlite3.DatabaseError:  # not a database any more: begin again
            path.unlink(missing_ok=True)
            self._database = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def digest(self, path: Path) -> str:
        """Return a file's SHA-256, read only if it has changed; raises `OSError`."""
        status = path.stat()
        key = str(path.absolute())
        facts = (status.st_size, status.st_mtime_ns)
        found = self.one("SELECT size, mtime, sha256 FROM digests WHERE path = ?", key)
        if found and found[:2] == facts:
            return str(found[2])
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.write("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", key, *facts, sha256)
        return sha256

    def bookmark(self, server: str, sha256: str) -> "Bookmark":
        """Return where the upload of some bytes to a server is remembered."""
        return Bookmark(self, (server, sha256))

    def one(self, statement: str, *values: object) -> tuple[object, ...] | None:
        with self._lock:
            row: tuple[object, ...] | None = self._database.execute(statement, values).fetchone()
        return row

    def write(self, statement: str, *values: object) -> None:
        with self._lock:
            self._database.execute(statement, values)


@dataclass(frozen=True)
class Bookmark:
    """Where one upload goes on."""

    memory: Memory
    key: tuple[str, str]
    """Server and digest."""

    def place(self) -> str | None:
        """Return where the bytes are being uploaded to, if that was begun."""
        query = "SELECT place FROM uploads WHERE server = ? AND sha256 = ?"
        found = self.memory.one(query, *self.key)
        return str(found[0]) if found else None

    def begin(self, place: str) -> None:
        """Remember an upload until `forget`."""
        self.memory.write("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)", *self.key, place)

    def forget(self) -> None:
        """Forget an upload that is over."""
        self.memory.write("DELETE FROM uploads WHERE server = ? AND sha256 = ?", *self.key)


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    database.executescript(SCHEMA)
    return database
