"""Questions that may never be answered: whoever asks waits for so long and no longer.

A call to a server that hangs cannot always be taken back: a driver may first ask the same server
to forget it. So nobody waits for that either. The question stays open, and whoever asks the same
meanwhile waits for the same answer. One that has been open for long is asked anew, for what it
waits for may be on a way that is gone; beside two that hang no third is begun, however often it is
asked: what hangs in a thread keeps that thread, and others need some.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
ANEW_SECONDS = 10.0
"""After so long the same is asked once more, beside the call that hangs."""
MOST = 2
"""Calls of one name that may be open."""


class Hanging:
    """The questions that are open, by name."""

    def __init__(self, anew: float = ANEW_SECONDS) -> None:
        self._anew = anew
        self._last: dict[str, tuple[asyncio.Task[Any], float]] = {}
        """The call that was begun last for each, and when."""
        self._open: dict[asyncio.Task[Any], str] = {}

    async def ask(self, name: str, question: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Return what a question is answered within a time; raises `TimeoutError`, or its error."""
        task, begun = self._last.get(name, (None, 0.0))
        late = time.monotonic() - begun > self._anew and self._hanging(name) < MOST
        if task is None or task.done() or late:
            task = self._begin(name, question)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise TimeoutError
        answer: T = task.result()
        return answer

    def _begin(self, name: str, question: Callable[[], Awaitable[T]]) -> "asyncio.Task[T]":
        task = asyncio.ensure_future(_asked(question))
        self._last[name] = task, time.monotonic()
        self._open[task] = name
        task.add_done_callback(self._ended)
        return task

    def _hanging(self, name: str) -> int:
        return sum(one == name for one in self._open.values())

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        """Take notice of an answer, also where nobody waits for it any more."""
        self._open.pop(task, None)
        if not task.cancelled():
            task.exception()

    @property
    def open(self) -> frozenset[str]:
        """Names of those that are not answered yet."""
        return frozenset(name for name, (task, _) in self._last.items() if not task.done())

    def close(self) -> None:
        """Ask no more; nobody waits for what is open."""
        for task in self._open:
            task.cancel()


async def _asked(question: Callable[[], Awaitable[T]]) -> T:
    return await question()
