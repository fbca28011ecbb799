"""A pool of slots with the operations of `tests.support.operations`, and short ways to use it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mediamill.engine.slots import Call, CallItem, Event, Slot, SlotLimits, SlotPool, Succeeded

CATALOGUE = "tests.support.operations:build"
LIMITS = SlotLimits(memory_bytes=1 << 30, timeout_seconds=20)


class Slots:
    """Items made of texts, and the events that come of them."""

    def __init__(self, pool: SlotPool, folder: Path) -> None:
        self.pool, self._folder, self._count = pool, folder, 0

    @asynccontextmanager
    async def items(self, *texts: str) -> AsyncIterator[tuple[CallItem, ...]]:
        """Open one item a text."""
        items = [self.item(index, text) for index, text in enumerate(texts)]
        try:
            yield tuple(items)
        finally:
            for item in items:
                os.close(item.descriptor)

    def item(self, index: int, text: str) -> CallItem:
        """Make an item whose content is a text; the caller closes its descriptor."""
        self._count += 1
        path = self._folder / f"input-{self._count}"
        path.write_text(text)
        descriptor = os.open(path, os.O_RDONLY)
        path.unlink()
        return CallItem(index, descriptor, f"item-{index}", "text/plain", len(text.encode()))

    async def events(
        self, *texts: str, operation: str = "told", slot: Slot | None = None, **parameters: Any
    ) -> list[Event]:
        """Run an operation on items; return all events."""
        found: list[Event] = []
        async with self.items(*texts) as items:
            call = Call(((operation, parameters),), items)
            if slot is not None:
                return [event async for event in slot.run(call)]
            async with self.pool.acquire() as taken:
                async for event in taken.run(call):
                    found.append(event)  # noqa: PERF401 - kept when the call raises
        return found

    async def answers(self, *texts: str) -> list[Any]:
        """Tell items what to do; return what each answered, or None where it failed."""
        answers: dict[int, Any] = {}
        for event in await self.events(*texts):
            if isinstance(event, Succeeded):
                answers[event.index] = (event.outcome.data or {}).get("answer")
        return [answers.get(index) for index in range(len(texts))]


@asynccontextmanager
async def open_slots(
    folder: Path, size: int = 1, limits: SlotLimits = LIMITS, catalogue: str = CATALOGUE
) -> AsyncIterator[Slots]:
    """Open a pool for a test."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    pool = SlotPool(size, limits, scratch=folder / "scratch", catalogue=catalogue)
    try:
        yield Slots(pool, folder)
    finally:
        await pool.close()
