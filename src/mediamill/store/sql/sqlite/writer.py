"""The one thread that writes: it commits many transactions at once and acknowledges after that.

While a commit waits for the disk, others queue up; the next BEGIN IMMEDIATE takes all of them, each
under its own savepoint, so one fsync serves many callers. A failed guard undoes its own transaction
only. If the commit fails, all of its transactions fail: nothing of them is written.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread

import apsw

from mediamill.core.errors import ConditionFailed
from mediamill.store.sql.sqlite.connection import begin, is_refusal, rollback, translated
from mediamill.store.sql.statements import Expect, Statement

MOST_TOGETHER = 256
LONGEST_TOGETHER = 0.05
"""Seconds after which a group is committed though more wait: other processes want a turn too."""


@dataclass(frozen=True, eq=False)
class Transaction:
    """Statements to be done all or none; `future` learns the outcome after the commit."""

    statements: list[Statement]
    failure: Callable[[int], ConditionFailed]
    """Makes the error of a failed guard at this position."""
    future: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


Outcome = tuple[Transaction, Exception | None]


class Writer:
    """Owns the writing connection; `submit` may be called until `stop`."""

    def __init__(self, connection: apsw.Connection, timeout: float) -> None:
        self._connection, self._timeout = connection, timeout
        self._queue: SimpleQueue[Transaction | None] = SimpleQueue()
        self._stopping = False
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, transaction: Transaction) -> asyncio.Future[None]:
        """Queue a transaction; the future ends when it is durable or has failed."""
        self._queue.put(transaction)
        return transaction.future

    def stop(self) -> None:
        """Ask the thread to end after what is queued."""
        self._queue.put(None)

    def join(self) -> None:
        """Wait for the thread; it has then closed its connection."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping:
                acknowledge(self._commit())
        finally:
            self._checkpoint()
            self._connection.close()

    def _take(self, wait: bool) -> Transaction | None:
        try:
            taken = self._queue.get(block=wait)
        except Empty:
            return None
        self._stopping = self._stopping or taken is None
        return taken

    def _commit(self) -> list[Outcome]:
        """Wait for a transaction, then commit it with all that can be had at once."""
        first = self._take(wait=True)
        if first is None:
            return []
        outcomes: list[Outcome] = []
        taken: Transaction | None = first
        try:
            rollback(self._connection)  # nothing is open, unless an undo failed
            begin(self._connection, self._timeout)
            until = time.monotonic() + LONGEST_TOGETHER
            while taken is not None:
                outcomes.append((taken, None))
                outcomes[-1] = taken, self._attempt(taken)
                more = len(outcomes) < MOST_TOGETHER and time.monotonic() < until
                taken = self._take(wait=False) if more and not self._stopping else None
            self._connection.execute("COMMIT")
        except Exception as error:  # the thread lives on, the callers are told
            self._undo()
            lost = translated(error)
            return [(each, lost) for each, _ in outcomes or [(first, None)]]
        return outcomes

    def _attempt(self, transaction: Transaction) -> Exception | None:
        """Apply one transaction in the open group; return why it was left out, if it was."""
        if transaction.future.cancelled():
            return None
        several = len(transaction.statements) > 1  # a single statement undoes itself
        if several:
            self._connection.execute("SAVEPOINT one")
        error = self._apply(transaction)
        if several and error is not None:
            self._connection.execute("ROLLBACK TO one")
        if several:
            self._connection.execute("RELEASE one")
        return error

    def _apply(self, transaction: Transaction) -> Exception | None:
        try:
            for position, statement in enumerate(transaction.statements):
                if not self._met(statement):
                    return transaction.failure(position)
        except Exception as error:
            if not is_refusal(error):
                raise
            return translated(error)
        return None

    def _met(self, statement: Statement) -> bool:
        cursor = self._connection.execute(statement.sql, statement.values)
        if statement.expect is Expect.ANYTHING:
            return True
        if statement.expect is Expect.CHANGED:
            return self._connection.changes() > 0
        rows = cursor.fetchall()
        return bool(rows) is (statement.expect is Expect.FOUND)

    def _undo(self) -> None:
        try:
            rollback(self._connection)
        except apsw.Error:  # it is rolled back all the same, by SQLite or by the next BEGIN
            return

    def _checkpoint(self) -> None:
        try:
            self._connection.set_busy_timeout(1000)
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error:  # readers of other processes: the next opener does it
            return


def acknowledge(outcomes: list[Outcome]) -> None:
    """Tell each caller on its own loop; one call per loop serves the whole group."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_loop[outcome[0].future.get_loop()].append(outcome)
    for loop, group in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, group)
        except RuntimeError:  # that loop is closed: nobody waits any more
            continue


def _resolve(outcomes: list[Outcome]) -> None:
    for transaction, error in outcomes:
        future = transaction.future
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
