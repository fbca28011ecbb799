"""Copies of a SQLite file while others write to it: SQLite's own backup, within one reading.

The reading keeps what was committed before it, so nothing that is written meanwhile has the copy
begin again; the log grows by what is written until it ends.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import apsw

from mediamill.core.errors import BrokenMedia, ConfigurationError
from mediamill.core.records import R
from mediamill.core.threads import to_end
from mediamill.store.calls import walk_of
from mediamill.store.copying import Copy, require_room
from mediamill.store.port import MAX_PAGE
from mediamill.store.sql.migrate import BORN, VERSION
from mediamill.store.sql.sqlite.connection import translated
from mediamill.store.sql.statements import SQLITE, statements_of

PAGES = 2_000
"""Pages (4 kB) that are copied before others who wait for a thread may come in between."""


class FileRows:
    """The records of a file that nobody else has (`Walks`)."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def walk(
        self, kind: type[R], after: tuple[Any, ...] | None = None, limit: int = MAX_PAGE
    ) -> Sequence[R]:
        listing = walk_of(kind, after, limit)
        statement = statements_of(kind, SQLITE).query(listing)

        def read() -> list[tuple[Any, ...]]:
            return self._connection.execute(statement.sql, statement.values).fetchall()

        try:
            return listing.records(await to_end(read))
        except apsw.Error as error:
            raise translated(error) from error


@asynccontextmanager
async def copied(url: str, folder: Path, spare: int) -> AsyncIterator[Copy]:
    """Copy the file of a URL into a folder; raises `BrokenMedia` when the copy is not sound."""
    source, target = _path(url), folder / "mediamill.db"
    await require_there(url)
    require_room(folder, await asyncio.to_thread(_size, source), spare)
    try:
        await _copy(source, target)
        connection = apsw.Connection(str(target))
    except apsw.Error as error:
        raise translated(error) from error
    try:
        await _interruptibly(_require_sound, connection)
        version, compatible = connection.execute(VERSION).fetchall()[0]
        rows = FileRows(connection)
        yield Copy(target, rows, int(str(version)), int(str(compatible)), _born(connection))
    finally:
        connection.close()


async def require_there(url: str) -> None:
    """Raise `ConfigurationError` where there is no such file."""
    path = _path(url)
    if not await asyncio.to_thread(path.exists):
        message = f"MEDIAMILL_STORE_URL: there is no {path}; MEDIAMILL_HOME says where it is."
        raise ConfigurationError(message, setting="MEDIAMILL_STORE_URL")


async def born(url: str) -> int | None:
    """Return when the file of a URL was made; 0 for one that is not ours, None where none is."""
    path = _path(url)
    if not await asyncio.to_thread(path.exists):
        return None
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise translated(error) from error
    try:
        return await asyncio.to_thread(_born, connection)
    except apsw.SQLError:  # no such table
        return 0
    except apsw.Error as error:
        raise translated(error) from error
    finally:
        connection.close()


async def restored(url: str, copy: Path) -> None:
    """Move a copy to the place of a URL, durable; raises `BrokenMedia` when it is not sound."""
    try:
        await asyncio.to_thread(_place, copy, _path(url))
    except apsw.Error as error:
        raise translated(error) from error


async def _copy(source: Path, target: Path) -> None:
    """Copy what is committed now, some pages at a time."""
    await asyncio.to_thread(target.touch, mode=0o600)
    reading = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    writing = apsw.Connection(str(target))
    try:
        reading.set_busy_timeout(30_000)
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # from now on it stays
        writing.execute("PRAGMA synchronous = OFF")  # it is copied once more
        with writing.backup("main", reading, "main") as backup:
            while not backup.done:
                await to_end(backup.step, PAGES)
        writing.execute("PRAGMA journal_mode = DELETE")  # so that it is one file
    finally:
        writing.close()
        reading.close()


async def _interruptibly(act: Callable[[apsw.Connection], None], on: apsw.Connection) -> None:
    """Do what may take minutes in a thread; who is cancelled breaks it off."""
    work = asyncio.ensure_future(asyncio.to_thread(act, on))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():  # an interrupt counts for what has begun
            on.interrupt()
            await asyncio.wait([work], timeout=0.1)
        work.exception()
        raise


def _require_sound(connection: apsw.Connection) -> None:
    try:
        found = connection.execute("PRAGMA integrity_check(3)").fetchall()
    except (apsw.CorruptError, apsw.NotADBError) as error:  # so much that it cannot be looked at
        found = [(error,)]
    if found != [("ok",)]:
        told = "; ".join(str(row[0]) for row in found)
        raise BrokenMedia(f"The copy of the database is damaged, so the database may be: {told}")


def _born(connection: apsw.Connection) -> int:
    return int(str(connection.execute(BORN).fetchall()[0][0]))


def _size(path: Path) -> int:
    """Return the bytes of a database at most, with what its log has."""
    log = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)


def _place(copy: Path, target: Path) -> None:
    connection = apsw.Connection(str(copy))
    try:
        _require_sound(connection)
    finally:
        connection.close()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy.chmod(0o600)
    for path in (copy, copy.parent):
        _fsync(path)
    copy.rename(target)
    _fsync(target.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _path(url: str) -> Path:
    return Path("/" + unquote(urlsplit(url).path).lstrip("/"))
