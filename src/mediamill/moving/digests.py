"""Which SHA-256 the records say that an object has: in a file, however many there are."""

from collections.abc import Iterator

import apsw

from mediamill.core.records import Record
from mediamill.store.naming import recorded


class Digests:
    """What is recorded of objects by their key; gone when it is closed."""

    def __init__(self) -> None:
        self._connection = apsw.Connection("")  # a file without a name: gone even after a kill
        for line in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", _TABLE):
            self._connection.execute(line)

    def add(self, records: list[Record]) -> None:
        """Note what some records say."""
        rows = [(key, bytes.fromhex(sha)) for r in records for key, sha in recorded(r)]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, 0)", rows)

    def of(self, key: str) -> str | None:
        """Return what is recorded of an object."""
        query = "SELECT hex(sha256) FROM known WHERE key = ?"
        rows = self._connection.execute(query, (key,)).fetchall()
        return str(rows[0][0]).lower() if rows else None

    def see(self, key: str) -> None:
        """Note that an object is there."""
        self._connection.execute("UPDATE known SET seen = 1 WHERE key = ?", (key,))

    def unseen(self) -> Iterator[str]:
        """Yield the objects that records name and that were not seen, by key."""
        for row in self._connection.execute("SELECT key FROM known WHERE NOT seen ORDER BY key"):
            yield str(row[0])

    def close(self) -> None:
        self._connection.close()


_TABLE = "CREATE TABLE known (key TEXT PRIMARY KEY, sha256 BLOB, seen INTEGER) WITHOUT ROWID"
