"""Transactions: what is sent in which order, and what it means when it breaks.

One statement is a transaction of its own, sent in one step. Several go in two: all of them, with
their guards, then the commit. A guard is part of its statement, so READ COMMITTED is enough:
whoever waited for a row judges it as it is then. All transactions take their rows in one order,
units before lanes as a claim does, so that they do not block each other crosswise. Where the
statements do not come through they go again one by one, as they were given: in a pipeline the
errors of those behind the first can hide it.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from mediamill.core.errors import Unavailable
from mediamill.store.sql.postgres.errors import COLLIDED, translated
from mediamill.store.sql.postgres.login import Connection
from mediamill.store.sql.statements import Expect, Statement

Cursor = psycopg.AsyncCursor[tuple[Any, ...]]


class NotWritten(Exception):
    """Nothing was written, and the same may well work again; `__cause__` says why."""


async def commit(
    connection: Connection, statements: list[Statement], order: Sequence[int]
) -> int | None:
    """Commit statements; return the position of the first whose guard failed, if one did.

    `order` has their positions in the order of the rows that they lock. Raises `NotWritten`, or
    what the error means; `Unavailable` where the outcome is not known.
    """
    if len(statements) == 1:
        cursor = await commit_one(connection, statements[0].sql, statements[0].values)
        return _first_unmet(statements, [cursor])
    cursors = await _sent_together(connection, statements, order)
    if cursors is None:
        cursors = await _sent_one_by_one(connection, statements)
    failed = _first_unmet(statements, cursors)
    if failed is not None:
        with suppress(psycopg.Error):  # who is gone has undone it
            await connection.execute("ROLLBACK")
        return failed
    try:
        ended = await connection.execute("COMMIT")
    except psycopg.Error as error:
        raise _unknown(error) from error
    if ended.statusmessage != "COMMIT":
        raise NotWritten
    return None


async def commit_one(connection: Connection, sql: str, values: Sequence[Any]) -> Cursor:
    """Commit one statement and return its cursor; raises as `commit` does."""
    try:
        return await connection.execute(sql.encode(), values)
    except psycopg.Error as error:
        if _unwritten(connection, error):
            raise NotWritten from error
        raise (_unknown(error) if connection.closed else translated(error)) from error


async def _sent_together(
    connection: Connection, statements: list[Statement], order: Sequence[int]
) -> list[Cursor] | None:
    """Send all at once; None, with nothing left open, where one did not come through."""
    cursors: dict[int, Cursor] = {}
    try:
        async with connection.pipeline() as pipeline:
            _end_without_flush(pipeline)
            await connection.execute("BEGIN")
            for at in order:
                one = statements[at]
                cursors[at] = await connection.execute(one.sql.encode(), one.values)
        return [cursors[at] for at in range(len(statements))]
    except psycopg.Error as error:
        if connection.closed:
            raise NotWritten from error
        with suppress(psycopg.Error):  # is found out next
            await connection.rollback()
        return None


def _end_without_flush(pipeline: psycopg.AsyncPipeline) -> None:
    """Leave out the Flush that psycopg sends behind a pipeline's last Sync, which has flushed all.

    The server stops its watch on open transactions (`idle_in_transaction_session_timeout`) when
    anything comes, and takes it up again after a Sync only: a worker that froze before its commit
    would keep its locks for ever.
    """

    def end() -> PQGen[None]:
        try:
            pipeline._enqueue_sync()
            yield from pipeline._communicate_gen()
        finally:
            yield from pipeline._fetch_gen(flush=False)

    pipeline._exit_gen = end  # type: ignore[method-assign]  # there is no option for it


async def _sent_one_by_one(connection: Connection, statements: list[Statement]) -> list[Cursor]:
    """Send one after another, up to the first whose guard fails."""
    cursors: list[Cursor] = []
    try:
        await connection.execute("BEGIN")
        for statement in statements:
            cursors.append(await connection.execute(statement.sql.encode(), statement.values))
            if not _met(statement, cursors[-1]):
                break
    except psycopg.Error as error:
        if connection.closed or _unwritten(connection, error):
            raise NotWritten from error
        raise translated(error) from error
    return cursors


def _unwritten(connection: Connection, error: psycopg.Error) -> bool:
    """Tell whether the same may work again: after a collision, or at another server."""
    if isinstance(error, errors.ReadOnlySqlTransaction):
        connection.pgconn.finish()  # it was the primary once
        return True
    return isinstance(error, COLLIDED)


def _first_unmet(statements: list[Statement], cursors: list[Cursor]) -> int | None:
    for position, (statement, cursor) in enumerate(zip(statements, cursors, strict=False)):
        if not _met(statement, cursor):
            return position
    return None


def _met(statement: Statement, cursor: Cursor) -> bool:
    if statement.expect is Expect.ANYTHING:
        return True
    return bool(cursor.rowcount) is (statement.expect is not Expect.NOTHING)


def _unknown(error: psycopg.Error) -> Exception:
    told = translated(error)
    if type(told) is not Unavailable:
        return told
    return Unavailable("The database went away while it wrote: it may have, or not.")
