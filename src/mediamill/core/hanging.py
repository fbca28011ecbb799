"""Questions that may never be answered: whoever asks waits for so long and no longer.

A call to a server that hangs cannot always be taken back: a driver may first ask the same server
to forget it. So nobody waits for that either. The question stays open, and whoever asks the same
meanwhile waits for the same answer: however often it is asked, one call hangs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Hanging:
    """The questions that are open, by name."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Task[Any]] = {}

    async def ask(self, name: str, question: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Return what a question is answered within a time; raises `TimeoutError`, or its error."""
        task = self._open.get(name)
        if task is None:
            task = self._open[name] = asyncio.ensure_future(_asked(question))
            task.add_done_callback(lambda _: self._open.pop(name, None))
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            task.add_done_callback(_heard)
            raise TimeoutError
        answer: T = task.result()
        return answer

    @property
    def open(self) -> frozenset[str]:
        """Names of those that are not answered yet."""
        return frozenset(self._open)

    def close(self) -> None:
        """Ask no more; nobody waits for what is open."""
        for task in self._open.values():
            task.add_done_callback(_heard)
            task.cancel()


async def _asked(question: Callable[[], Awaitable[T]]) -> T:
    return await question()


def _heard(task: "asyncio.Task[Any]") -> None:
    """Take notice of an answer for which nobody waits any more, so that it is no warning."""
    if not task.cancelled():
        task.exception()
