"""What a push remembers between runs, in `MEDIAMILL_HOME/push.db`: digests, unfinished uploads.

Losing it costs nothing but reading files again.
"""

import hashlib
import sqlite3
import threading
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
        found = self._one("SELECT size, mtime, sha256 FROM digests WHERE path = ?", key)
        if found and found[:2] == facts:
            return str(found[2])
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self._write("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", key, *facts, sha256)
        return sha256

    def upload(self, server: str, sha256: str) -> str | None:
        """Return where bytes are being uploaded to, if that was begun."""
        found = self._one(
            "SELECT place FROM uploads WHERE server = ? AND sha256 = ?", server, sha256
        )
        return str(found[0]) if found else None

    def begin(self, server: str, sha256: str, place: str) -> None:
        """Remember an upload until `forget`."""
        self._write("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)", server, sha256, place)

    def forget(self, server: str, sha256: str) -> None:
        """Forget an upload that is over."""
        self._write("DELETE FROM uploads WHERE server = ? AND sha256 = ?", server, sha256)

    def _one(self, statement: str, *values: object) -> tuple[object, ...] | None:
        with self._lock:
            row: tuple[object, ...] | None = self._database.execute(statement, values).fetchone()
        return row

    def _write(self, statement: str, *values: object) -> None:
        with self._lock:
            self._database.execute(statement, values)


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    database.executescript(SCHEMA)
    return database
