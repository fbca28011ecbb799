"""Blocking work in threads that is over when the awaiting task goes on, also when cancelled."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A few threads for one store, so that a slow disk cannot starve everybody's default pool."""

    def __init__(self, name: str, count: int = 8) -> None:
        self._executor: Executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a blocking function in a thread.

        A cancelled caller resumes only when the thread has returned: descriptors can then be
        closed safely, because nobody uses them any more.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))
        return await _over(future)

    def close(self) -> None:
        """Let the threads end; work that was begun is finished."""
        self._executor.shutdown(wait=False)


async def to_end(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in one of everybody's threads, also when cancelled to its end."""
    loop = asyncio.get_running_loop()
    return await _over(loop.run_in_executor(None, lambda: function(*args, **kwargs)))


async def _over(future: "asyncio.Future[T]") -> T:
    """Wait for what a thread does; whoever is cancelled goes on when it is out."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await _settle(future)
        raise


async def _settle(future: "asyncio.Future[T]") -> None:
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue  # the first cancellation is raised once the thread is out
    if not future.cancelled():
        future.exception()
