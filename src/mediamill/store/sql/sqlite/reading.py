"""A SQLite file to be read whole and left as it is: for moves.

It is opened read-only, and only while no service has it open: the lock of the file's clock is held
alone, so a service that is started meanwhile is refused. What a killed service left in the log is
read from there.
"""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import apsw

from mediamill.core.errors import ConfigurationError, Locked
from mediamill.core.records import R
from mediamill.store.calls import walk_of
from mediamill.store.port import MAX_PAGE
from mediamill.store.sql.migrate import migrations
from mediamill.store.sql.schema import declared_kinds
from mediamill.store.sql.sqlite.connection import translated
from mediamill.store.sql.statements import SQLITE, Statement, count_of, statements_of
from mediamill.store.versions import require_present


class SqliteSource:
    """The records of a file that nobody else has open."""

    def __init__(self, connection: apsw.Connection, lock: int) -> None:
        self._connection, self._lock = connection, lock

    async def walk(
        self, kind: type[R], after: tuple[Any, ...] | None = None, limit: int = MAX_PAGE
    ) -> Sequence[R]:
        """Return the next records in key order."""
        listing = walk_of(kind, after, limit)
        rows = await self._rows(statements_of(kind, SQLITE).query(listing))
        return listing.records(rows)

    async def count(self) -> dict[str, int]:
        """Return how many records there are, by table."""
        return dict(await self._rows(count_of(declared_kinds())))

    async def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        os.close(self._lock)

    async def _rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        def read() -> list[tuple[Any, ...]]:
            return self._connection.execute(statement.sql, statement.values).fetchall()

        try:
            return await asyncio.to_thread(read)
        except apsw.Error as error:
            raise translated(error) from error


async def open_to_read(url: str) -> SqliteSource:
    """Open the file of a URL; raises `Locked` while a service has it open, `ConfigurationError`."""
    path = Path("/" + unquote(urlsplit(url).path).lstrip("/"))
    return await asyncio.to_thread(_open, path)


def _open(path: Path) -> SqliteSource:
    if not path.exists():
        message = f"MEDIAMILL_STORE_URL: there is no {path}; MEDIAMILL_HOME says where it is."
        raise ConfigurationError(message, setting="MEDIAMILL_STORE_URL")
    lock = _alone(path)
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        version: Any = connection.execute("SELECT MAX(version) FROM schema_version").fetchall()
        require_present(len(migrations(SQLITE.name)), version[0][0])
    except apsw.Error as error:
        os.close(lock)
        raise translated(error) from error
    except BaseException:
        os.close(lock)
        raise
    return SqliteSource(connection, lock)


def _alone(path: Path) -> int:
    lock = os.open(f"{path}-clock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Locked(
            f"A service runs on {path}. Stop every `mediamill up`, `api` and `worker` first."
        ) from None
    return lock
