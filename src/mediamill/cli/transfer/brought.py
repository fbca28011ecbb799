"""What was brought in from buckets before, kept in HOME/imports.db, so that it is not read again.

A listing gives no SHA-256. So for each object that came in, its ETag and size are kept with the
SHA-256 of the bytes that then came; while the former are the same and the server still has the
latter, the object is skipped. Removing the file only costs reading again.
"""

import sqlite3
import threading
from pathlib import Path
from typing import Self

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    place TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    sha256 TEXT NOT NULL DEFAULT '', upload TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (place, key)
) WITHOUT ROWID
"""


class Memory:
    """One row per object of a place; may be used by several threads."""

    def __init__(self, home: Path, place: str) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place, self._lock = place, threading.Lock()
        self._base = sqlite3.connect(home / "imports.db", timeout=30, check_same_thread=False)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute(SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def of(self, key: str, etag: str, size: int) -> tuple[str, str]:
        """Return the SHA-256 of an object's bytes and where it is being sent; empty if unknown."""
        query = "SELECT sha256, upload FROM objects WHERE place=? AND key=? AND etag=? AND size=?"
        with self._lock:
            row = self._base.execute(query, (self._place, key, etag, size)).fetchone()
        return (row[0], row[1]) if row and etag else ("", "")

    def note(self, key: str, etag: str, size: int, *, sha256: str = "", upload: str = "") -> None:
        """Remember what is known of an object now, in place of what was."""
        row = (self._place, key, etag, size, sha256, upload)
        with self._lock, self._base:
            self._base.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)", row)
