"""A few threads that read, each with its own connection, so that no read waits for a write.

A read starts its own snapshot at the last commit, so it sees every write acknowledged before it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import apsw

from mediamill.store.sql.sqlite.connection import patiently, translated

T = TypeVar("T")
Read = Callable[[apsw.Connection], Any]
Request = tuple[Read, asyncio.Future[Any]]


class Readers:
    """Runs functions on reading connections; `read` may be called until `stop`."""

    def __init__(self, connections: list[apsw.Connection], timeout: float) -> None:
        self._timeout = timeout
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._run, args=(each,), name=f"store-reader-{n}", daemon=True)
            for n, each in enumerate(connections)
        ]
        for thread in self._threads:
            thread.start()

    def read(self, function: Callable[[apsw.Connection], T]) -> asyncio.Future[T]:
        """Run a function of a connection in some thread."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((function, future))
        return future

    def stop(self) -> None:
        """Ask the threads to end after what is queued."""
        for _ in self._threads:
            self._queue.put(None)

    def join(self) -> None:
        """Wait for the threads; their connections are then closed."""
        for thread in self._threads:
            thread.join()

    def _run(self, connection: apsw.Connection) -> None:
        while (request := self._queue.get()) is not None:
            function, future = request
            if not future.cancelled():
                self._answer(connection, function, future)
        connection.close()

    def _answer(
        self, connection: apsw.Connection, function: Read, future: asyncio.Future[Any]
    ) -> None:
        value, failure = None, None
        try:
            value = patiently(lambda: function(connection), self._timeout)
        except Exception as error:  # the thread lives on, the caller is told
            failure = translated(error)
        with suppress(RuntimeError):  # that loop is closed: nobody waits any more
            future.get_loop().call_soon_threadsafe(_resolve, future, value, failure)


def _resolve(future: asyncio.Future[Any], value: Any, failure: Exception | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(value)
    else:
        future.set_exception(failure)
