"""What a backup has to keep in mind of each object: in a file, however many there are."""

from collections.abc import Iterable, Iterator
from typing import Any

import apsw
import msgspec

from mediamill.backup.manifest import Entry
from mediamill.core.records import Record, type_map
from mediamill.store.naming import named

Name = tuple[str, type[Record], tuple[object, ...]]
"""An object's key, and the kind and key of the record that names it."""

_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE there (sha256 TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID;
    CREATE TABLE before (key TEXT PRIMARY KEY, size INTEGER, modified INTEGER, sha256 TEXT)
        WITHOUT ROWID;
    CREATE TABLE now (key TEXT PRIMARY KEY, size INTEGER, modified INTEGER, sha256 TEXT)
        WITHOUT ROWID;
    CREATE TABLE named (key TEXT PRIMARY KEY, sha256 TEXT, kind TEXT, id TEXT) WITHOUT ROWID;
"""
_PUT = {
    "before": "INSERT OR REPLACE INTO before VALUES (?, ?, ?, ?)",
    "now": "INSERT OR REPLACE INTO now VALUES (?, ?, ?, ?)",
}


class Index:
    """Tables of one run; gone when it is closed, also by a kill."""

    def __init__(self) -> None:
        self._connection = apsw.Connection("")
        self._connection.execute(_TABLES).fetchall()  # a pragma answers

    def close(self) -> None:
        self._connection.close()

    # -- what the place has ---------------------------------------------------------------------

    def there(self, some: Iterable[tuple[str, int]]) -> None:
        """Note content that is at the place: SHA-256 and size."""
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO there VALUES (?, ?)", some)

    def size_there(self, sha256: str) -> int | None:
        """Return the size of content at the place; None where it is not there."""
        size: int | None = self._one("SELECT size FROM there WHERE sha256 = ?", sha256)
        return size

    def before(self, entries: Iterable[Entry]) -> None:
        """Note what the snapshot before has."""
        self._put("before", entries)

    # -- what rows name -------------------------------------------------------------------------

    def name(self, records: Iterable[Record]) -> None:
        """Note what some records name; of two that name one object, one that tells its SHA-256."""
        rows = (
            (key, sha256, record.table, msgspec.json.encode(record.key_values()).decode())
            for record in records
            for key, sha256 in named(record)
        )
        put = """INSERT INTO named VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
            SET sha256 = excluded.sha256, kind = excluded.kind, id = excluded.id
            WHERE named.sha256 = ''"""
        with self._connection:
            self._connection.executemany(put, rows)

    def recorded(self, key: str) -> str:
        """Return the SHA-256 that rows tell of an object; empty where they tell none."""
        return self._one("SELECT sha256 FROM named WHERE key = ?", key) or ""

    def unmet(self) -> Iterator[Name]:
        """Yield what rows name and this snapshot has not."""
        query = """SELECT key, kind, id FROM named
            WHERE key NOT IN (SELECT key FROM now) ORDER BY key"""
        for key, kind, id_ in self._connection.execute(query).fetchall():
            yield str(key), type_map[str(kind)], tuple(msgspec.json.decode(str(id_)))

    def differing(self) -> list[str]:
        """List the objects of this snapshot that are not what their rows say."""
        query = """SELECT key FROM now JOIN named USING (key)
            WHERE named.sha256 NOT IN ('', now.sha256) ORDER BY key"""
        return [str(key) for (key,) in self._connection.execute(query)]

    # -- what this snapshot has -----------------------------------------------------------------

    def known(self, key: str, size: int, modified: int) -> str | None:
        """Return the SHA-256 of an object that is as it was before and whose content is there."""
        query = """SELECT before.sha256 FROM before JOIN there USING (sha256)
            WHERE key = ? AND before.size = ? AND modified = ? AND there.size = before.size"""
        sha256: str | None = self._one(query, key, size, modified)
        said = self.recorded(key)
        return None if sha256 is None or (said and said != sha256) else sha256

    def has_already(self, key: str, size: int, modified: int) -> bool:
        """Tell whether this snapshot has an object as it is, and as its row says."""
        query = "SELECT sha256 FROM now WHERE key = ? AND size = ? AND modified = ?"
        sha256 = self._one(query, key, size, modified)
        return sha256 is not None and self.recorded(key) in {"", sha256}

    def amount(self) -> tuple[int, int]:
        """Return how many objects this snapshot has, and their bytes."""
        query = "SELECT count(*), COALESCE(sum(size), 0) FROM now"
        count, size = self._connection.execute(query).fetchall()[0]
        return int(str(count)), int(str(size))

    def has(self, entries: Iterable[Entry]) -> None:
        """Note objects of this snapshot."""
        self._put("now", entries)

    def entries(self) -> Iterator[Entry]:
        """Yield what this snapshot has, in key order."""
        for key, size, modified, sha256 in self._connection.execute(
            "SELECT key, size, modified, sha256 FROM now ORDER BY key"
        ):
            yield Entry(str(key), int(str(size)), int(str(modified)), str(sha256))

    def _put(self, table: str, entries: Iterable[Entry]) -> None:
        rows = ((one.key, one.size, one.modified, one.sha256) for one in entries)
        with self._connection:
            self._connection.executemany(_PUT[table], rows)

    def _one(self, query: str, *values: str | int) -> Any:
        rows = self._connection.execute(query, values).fetchall()
        return rows[0][0] if rows else None
