"""Ask the brokers about topics, without a client that another thread is using."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from mediamill.adapters.stream.kafka.asking import Administrator


class Looks:
    """The ids of topics as they are now; who asks at the same time shares an answer."""

    def __init__(
        self, admin: Callable[[], Administrator], topics: list[str], threads: Executor
    ) -> None:
        self._admin, self._topics, self._threads = admin, topics, threads
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[dict[str, str]] | None = None

    async def look(self) -> dict[str, str]:
        """Return the ids of those that are there, from a question that is asked after this."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._look())
        return await asyncio.shield(self._next)

    async def _look(self) -> dict[str, str]:
        async with self._one_at_a_time:
            self._next = None  # who comes from now on must not have this answer
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._admin().ids, self._topics)
