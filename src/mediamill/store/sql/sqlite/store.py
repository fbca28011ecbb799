"""The store in one SQLite file: `sqlite:///absolute/path?readers=3&timeout=30`.

One thread writes and commits in groups (`writer.py`), a few read (`readers.py`), and any number of
processes of one machine may share the file; `clock.py` is their common time. The driver is apsw,
which ships its own SQLite: the standard library's may be one whose WAL recovery can corrupt (3.7.0
to 3.51.2).
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import apsw

from mediamill.core.clock import Clock
from mediamill.core.errors import ConditionFailed, ConfigurationError, Unavailable
from mediamill.core.mounts import network_type
from mediamill.core.records import R, Record
from mediamill.store.base import CheckedWalks
from mediamill.store.calls import Change, Listing, condition_failed
from mediamill.store.codec import layout_of
from mediamill.store.judging import Row
from mediamill.store.port import Page
from mediamill.store.sql.migrate import VERSION, migrations
from mediamill.store.sql.sqlite.clock import SharedClock
from mediamill.store.sql.sqlite.connection import connect, prepare, translated
from mediamill.store.sql.sqlite.readers import Readers
from mediamill.store.sql.sqlite.writer import Transaction, Writer
from mediamill.store.sql.statements import (
    SQLITE,
    Statement,
    statements_for,
    statements_of,
)
from mediamill.store.versions import require_compatible

READERS = 3
TIMEOUT = 30.0
"""Seconds to wait for another process's lock before a call is `Unavailable`."""

Rows = list[tuple[Any, ...]]


class SqliteStore(CheckedWalks):
    """Records in one SQLite file; opened by `SqliteStore.open`."""

    version: str = apsw.sqlite_lib_version()
    """The SQLite that runs, as in `3.54.1`; whoever opens the store says it in the log."""

    def __init__(self, writer: Writer, readers: Readers, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        path: Path | str,
        kinds: Iterable[type[Record]] = (),
        *,
        readers: int = READERS,
        timeout: float = TIMEOUT,
        clock: Clock | None = None,
    ) -> "SqliteStore":
        """Open a file, made and migrated as needed; `kinds` get tables beside the declared ones.

        Raises `ConfigurationError` for a network file system, a newer schema or another file
        format, `Unavailable` when the file cannot be opened.
        """
        place = Path(path)
        _refuse_network(place)
        opening = partial(_open, place, tuple(kinds), readers, timeout, clock)
        return cls(*await asyncio.to_thread(opening))

    async def _found(self, kind: type[R], keys: list[Row]) -> list[R | None]:
        self._check_open()
        layout, sql = layout_of(kind), statements_of(kind, SQLITE).get

        def read(connection: apsw.Connection) -> list[R | None]:
            rows = [connection.execute(sql, key).fetchall() for key in keys]
            return [layout.decode(found[0]) if found else None for found in rows]

        return await self._readers.read(read)

    async def _page(self, listing: Listing[R]) -> Page[R]:
        self._check_open()
        statement = statements_of(listing.layout.kind, SQLITE).query(listing)
        return await self._readers.read(lambda c: listing.page(_rows(c, statement)))

    async def _walked(self, listing: Listing[R]) -> list[R]:
        self._check_open()
        statement = statements_of(listing.layout.kind, SQLITE).query(listing)
        return await self._readers.read(lambda c: listing.records(_rows(c, statement)))

    async def _apply(self, changes: list[Change]) -> None:
        self._check_open()
        if not changes:
            return

        def failure(position: int) -> ConditionFailed:
            return ConditionFailed(condition_failed(changes[position]), action=position)

        await self._writer.submit(Transaction(statements_for(changes, SQLITE), failure))

    async def now(self) -> int:
        return self._clock.now()

    async def require_current(self) -> None:
        self._check_open()
        version: Any = await self._readers.read(lambda c: c.execute(VERSION).fetchall()[0])
        require_compatible(len(migrations(SQLITE.name)), *version)

    async def close(self) -> None:
        """Finish what was accepted, then end the threads; closing again waits for the same."""
        if self._closing is None:
            self._writer.stop()
            self._readers.stop()
            self._closing = asyncio.create_task(asyncio.to_thread(self._join))
        await asyncio.shield(self._closing)

    def _join(self) -> None:
        self._readers.join()
        self._writer.join()
        if isinstance(self._clock, SharedClock):
            self._clock.close()

    def _check_open(self) -> None:
        if self._closing is not None:
            raise Unavailable("The store is closed.")


def _rows(connection: apsw.Connection, statement: Statement) -> Rows:
    return connection.execute(statement.sql, statement.values).fetchall()


def _open(
    path: Path,
    kinds: tuple[type[Record], ...],
    readers: int,
    timeout: float,
    clock: Clock | None,
) -> tuple[Writer, Readers, Clock]:
    try:
        prepare(path, timeout, kinds)
        writing = connect(path, timeout)
        reading = [connect(path, timeout, read_only=True) for _ in range(readers)]
        clock = clock or SharedClock(path)
    except (apsw.Error, OSError) as error:
        raise _unopened(path, error) from error
    return Writer(writing, timeout), Readers(reading, timeout), clock


def _unopened(path: Path, error: Exception) -> Exception:
    if isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError | OSError):
        message = f"MEDIAMILL_STORE_URL: {path} cannot be opened for writing: {error}"
        return ConfigurationError(message, setting="MEDIAMILL_STORE_URL")
    return translated(error)


def _refuse_network(path: Path) -> None:
    found = network_type(path)
    if found is not None:
        raise ConfigurationError(
            f"MEDIAMILL_STORE_URL: {path} is on a network file system ({found}), where SQLite's "
            "locks are not reliable. Put it on a local disk, or use postgresql:// for several "
            "machines.",
            setting="MEDIAMILL_STORE_URL",
        )


async def open(  # noqa: A001 - the name that every backend module has
    url: str, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> SqliteStore:
    """Open the file that a URL names; raises `ValueError` for a bad parameter."""
    parts = urlsplit(url)
    if parts.netloc or len(parts.path) < 2:
        raise ValueError("write sqlite:///absolute/path")
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    readers, timeout = int(given.pop("readers", READERS)), float(given.pop("timeout", TIMEOUT))
    if given:
        raise ValueError(f"unknown parameter {', '.join(given)}; known: readers, timeout")
    if not 1 <= readers <= 16 or not 0 < timeout <= 600:
        raise ValueError("readers is 1 to 16, timeout is up to 600 seconds")
    path = Path("/" + unquote(parts.path).lstrip("/"))
    return await SqliteStore.open(path, extra_kinds, readers=readers, timeout=timeout, clock=clock)
