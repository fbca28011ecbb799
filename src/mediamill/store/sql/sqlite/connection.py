"""Connections to one SQLite file: how each is set up, migrated, and how its errors are named.

The file has `-wal` and `-shm` files beside it; all three belong together and are readable by
their owner only. Needed: read and write permission on the file and on its folder.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from mediamill.core.errors import ConfigurationError, MediamillError, StorageFull, Unavailable
from mediamill.core.records import Record
from mediamill.store.sql.migrate import VERSION, VERSION_TABLE, Migration, migrations, pending
from mediamill.store.sql.schema import ddl
from mediamill.store.sql.statements import SQLITE

T = TypeVar("T")

PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = OFF",
    "temp_store = MEMORY",
    "wal_autocheckpoint = 4000",  # pages: what is written often goes to the file once in 16 MB
    f"journal_size_limit = {64 << 20}",
)
WRITER_CACHE, READER_CACHE = 16_384, 2_048
"""Kilobytes of pages that a connection keeps. Every commit empties the readers' (SQLite cannot tell
which pages it changed), so theirs serve for one query."""

TOLD = "SELECT 1 FROM pragma_table_info('schema_version') WHERE name = 'compatible'"
"""Whether the table of versions is as it is since migrations say what they are compatible with."""

_PAUSE = 0.005
_REFUSED = apsw.ConstraintError, apsw.TooBigError, apsw.MismatchError, apsw.RangeError


def connect(path: Path, timeout: float, read_only: bool = False) -> apsw.Connection:
    """Open a connection that waits up to `timeout` seconds for the lock of another process."""
    connection = apsw.Connection(str(path), statementcachesize=256)
    connection.set_busy_timeout(int(timeout * 1000))
    for pragma in PRAGMAS:  # going to WAL does not wait for locks by itself
        patiently(partial(_all, connection, f"PRAGMA {pragma}"), timeout)
    connection.execute(f"PRAGMA cache_size = -{READER_CACHE if read_only else WRITER_CACHE}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _all(connection: apsw.Connection, sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()


def patiently(action: Callable[[], T], timeout: float) -> T:
    """Do something again while another process holds the lock, for `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return action()
        except (apsw.BusyError, apsw.LockedError):
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)


def begin(connection: apsw.Connection, timeout: float) -> None:
    """Take the write lock; raises `apsw.BusyError` when it stays taken."""
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"), timeout)


def rollback(connection: apsw.Connection) -> None:
    """End whatever transaction is left open, by error or by us."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def prepare(path: Path, timeout: float, kinds: Iterable[type[Record]]) -> None:
    """Create the file if it is missing, apply what migrations it lacks, add the extra kinds."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    connection = connect(path, timeout)
    try:
        while migrate_next(connection, timeout):
            pass
        if script := ddl(kinds, SQLITE, if_absent=True):
            _in_transaction(connection, timeout, script)
    finally:
        connection.close()


def migrate_next(
    connection: apsw.Connection, timeout: float, known: tuple[Migration, ...] | None = None
) -> bool:
    """Apply the next migration in one transaction; False when there was none left.

    The version is read under the write lock, so of several processes only one applies it.
    """
    begin(connection, timeout)
    try:
        connection.execute(VERSION_TABLE)
        if not connection.execute(TOLD).fetchall():
            connection.execute("ALTER TABLE schema_version ADD COLUMN compatible BIGINT")
        version: Any = connection.execute(VERSION).fetchall()[0]
        waiting = pending(migrations(SQLITE.name) if known is None else known, *version)
        if waiting:
            _apply(connection, waiting[0])
        connection.execute("COMMIT")
    finally:
        rollback(connection)
    return bool(waiting)


def _apply(connection: apsw.Connection, migration: Migration) -> None:
    connection.execute(migration.sql)
    now = time.time_ns() // 1_000_000
    applied = (migration.version, migration.name, now, migration.compatible)
    connection.execute("INSERT INTO schema_version VALUES (?, ?, ?, ?)", applied)


def _in_transaction(connection: apsw.Connection, timeout: float, script: str) -> None:
    begin(connection, timeout)
    try:
        connection.execute(script)
        connection.execute("COMMIT")
    finally:
        rollback(connection)


def is_refusal(error: Exception) -> bool:
    """Tell whether the fault is in one statement or its values and not in the database."""
    return isinstance(error, (*_REFUSED, apsw.SQLError)) or not isinstance(error, apsw.Error)


def translated(error: Exception) -> Exception:
    """Turn a driver's error into one of ours; others are returned as they are."""
    if not isinstance(error, apsw.Error):
        return error
    if isinstance(error, _REFUSED):
        return ValueError(f"A value does not fit its column: {error}")
    if isinstance(error, apsw.SQLError):
        return MediamillError(f"The database does not fit this program: {error}")
    if isinstance(error, apsw.NotADBError):
        message = f"MEDIAMILL_STORE_URL: the file is not an SQLite database: {error}"
        return ConfigurationError(message, setting="MEDIAMILL_STORE_URL")
    return _unavailable(error)


def _unavailable(error: apsw.Error) -> Unavailable:
    extended = getattr(error, "extendedresult", 0)
    if isinstance(error, apsw.FullError) or extended == apsw.SQLITE_IOERR_SHMSIZE:
        return StorageFull("The database's disk is full.")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return Unavailable("The database is busy.")
    return Unavailable(f"The database failed: {error}")
