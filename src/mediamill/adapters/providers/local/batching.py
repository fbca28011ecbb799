"""Questions that wait at the same time are answered in one go."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mediamill.core.errors import ProviderUnavailable
from mediamill.media.models.sessions import Halt

Q = TypeVar("Q")
A = TypeVar("A")
CLOSING = "The model is being closed."


@dataclass(eq=False)
class Waiting(Generic[Q, A]):
    """A question and who waits for its answer."""

    question: Q
    answer: asyncio.Future[A]

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits; may be asked from any thread."""
        return not self.answer.done()


@dataclass(eq=False)
class Batch(Generic[Q, A]):
    """Questions that are answered together."""

    waiting: Sequence[Waiting[Q, A]]
    halt: Halt = field(default_factory=Halt)

    def dropped(self) -> None:
        """Note that somebody no longer waits; when nobody does, what runs is ended."""
        if not any(one.wanted for one in self.waiting):
            self.halt.halt()


Work = Callable[[Batch[Q, A]], Sequence[A | None]]
"""Answers a batch, in its order, on a thread; None for what was not wanted any more."""


class Batcher(Generic[Q, A]):
    """Gathers up to `most` questions, or those of `seconds`, whichever is reached first.

    While one batch is worked on the next gathers. `run` runs a function on the one thread that the
    work is for. What the work raises is raised to all who wait.
    """

    def __init__(
        self,
        work: Work[Q, A],
        run: Callable[[Callable[[], Sequence[A | None]]], asyncio.Future[Sequence[A | None]]],
        most: int,
        seconds: float,
    ) -> None:
        self._work, self._run, self.most, self._seconds = work, run, most, seconds
        self._queue: deque[Waiting[Q, A]] = deque()
        self._full = asyncio.Event()
        self._batch: Batch[Q, A] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, question: Q) -> A:
        """Return the answer; a caller that is cancelled is left out of what is not answered yet."""
        if self._closed:
            raise ProviderUnavailable(CLOSING)
        waiting: Waiting[Q, A] = Waiting(question, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if len(self._queue) >= self.most:
            self._full.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer_all())
        try:
            return await waiting.answer
        finally:
            waiting.answer.cancel()  # nothing for one that is answered
            if self._batch is not None:
                self._batch.dropped()

    async def close(self) -> None:
        """End what runs; who still waits, or asks later, gets `ProviderUnavailable`."""
        self._closed = True
        if self._batch is not None:
            self._batch.halt.halt()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiting in [*(self._batch.waiting if self._batch else ()), *self._queue]:
            _fail(waiting, ProviderUnavailable(CLOSING))

    async def _answer_all(self) -> None:
        while self._queue:
            await self._gather()
            taken = [self._queue.popleft() for _ in range(min(self.most, len(self._queue)))]
            batch: Batch[Q, A] = Batch([waiting for waiting in taken if waiting.wanted])
            if batch.waiting:
                self._batch = batch
                await self._answer(batch)
                self._batch = None

    async def _gather(self) -> None:
        """Wait for as many as go together, not for long."""
        self._full.clear()
        if len(self._queue) < self.most and self._seconds > 0:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._full.wait()
            except TimeoutError:
                pass

    async def _answer(self, batch: Batch[Q, A]) -> None:
        try:
            answers = await self._run(lambda: self._work(batch))
        except Exception as error:  # whatever it is, those who wait are told
            for waiting in batch.waiting:
                _fail(waiting, error)
            return
        for waiting, answer in zip(batch.waiting, answers, strict=True):
            if waiting.wanted and answer is not None:
                waiting.answer.set_result(answer)


def _fail(waiting: Waiting[Q, A], error: Exception) -> None:
    if waiting.wanted:
        waiting.answer.set_exception(error)
